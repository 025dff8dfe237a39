import { hexColor, textColorOn } from '../lib/color.ts';
import { escapeHtml } from '../lib/escape-html.ts';
import type { Brand, RenderedMail } from './message.ts';
import { cut, oneLine } from './words.ts';

/** A piece of a mail. Each knows how it reads as text and as HTML, so that the two never differ in what they say. */
export type Block =
  | { readonly text: string }
  /** On a line of its own. */
  | { readonly code: string }
  /** A button; in the text a line with nothing but the address. */
  | { readonly link: string; readonly label: string }
  | { readonly details: Readonly<Record<string, string>> }
  /** Smaller: what to do if it was not you. */
  | { readonly footnote: string };

const MAX_PRODUCT_NAME = 60;

/** The product's name, as far as a line has room for it. */
export function productName(brand: Brand): string {
  return cut(oneLine(brand.name), MAX_PRODUCT_NAME);
}

/** Writes a mail as text and as HTML: a greeting, the blocks, and who it is from. */
export function writeMail(brand: Brand, subject: string, blocks: readonly Block[]): RenderedMail {
  const heading = oneLine(subject);
  const all: readonly Block[] = [{ text: 'Hello,' }, ...blocks];
  return { subject: heading, text: textOf(brand, all), html: htmlOf(brand, heading, all) };
}

function textOf(brand: Brand, blocks: readonly Block[]): string {
  return `${[...blocks.map(blockAsText), `${productName(brand)}\n${address(brand.url)}`].join('\n\n')}\n`;
}

function blockAsText(block: Block): string {
  if ('text' in block) return oneLine(block.text);
  if ('code' in block) return oneLine(block.code);
  if ('link' in block) return `${oneLine(block.label)}:\n${address(block.link)}`;
  if ('footnote' in block) return oneLine(block.footnote);
  return Object.entries(block.details)
    .map(([name, value]) => `${name}: ${oneLine(value)}`)
    .join('\n');
}

// Neither text nor background has a colour where none is needed: mail programs then choose both, dark mode included.
const PAGE = 'margin:0;padding:24px 16px;font:16px/1.5 system-ui,-apple-system,Segoe UI,Roboto,Arial,sans-serif';
const COLUMN = 'max-width:560px;margin:0 auto;overflow-wrap:break-word';
const HEADING = 'margin:0 0 24px;font-size:22px;line-height:1.3';
const PARAGRAPH = 'margin:0 0 16px';
const SMALL = 'margin:24px 0 0;font-size:14px';

function htmlOf(brand: Brand, heading: string, blocks: readonly Block[]): string {
  const name = escapeHtml(productName(brand));
  const logo = brand.logoUrl
    ? [
        `<p style="${PARAGRAPH}"><img src="${escapeHtml(address(brand.logoUrl))}" alt="${name}" height="40" style="border:0"></p>`,
      ]
    : [];
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<meta name="supported-color-schemes" content="light dark">',
    // What is no link stays none.
    '<meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no">',
    `<title>${escapeHtml(heading)}</title>`,
    '</head>',
    `<body style="${PAGE}">`,
    `<div role="main" style="${COLUMN}">`,
    ...logo,
    `<h1 style="${HEADING}">${escapeHtml(heading)}</h1>`,
    ...blocks.map((block) => blockAsHtml(block, brand)),
    `<p style="${SMALL}">${name}<br><a href="${escapeHtml(address(brand.url))}" style="color:inherit">${escapeHtml(address(brand.url))}</a></p>`,
    '</div>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function blockAsHtml(block: Block, brand: Brand): string {
  const color = hexColor(brand.color);
  if ('text' in block) return `<p style="${PARAGRAPH}">${line(block.text)}</p>`;
  if ('footnote' in block) return `<p style="${SMALL}">${line(block.footnote)}</p>`;
  if ('code' in block) {
    const style = `margin:0 0 16px;padding:12px 16px;border:2px solid ${color};border-radius:8px;font:bold 28px/1.3 ui-monospace,Menlo,Consolas,monospace;letter-spacing:2px;text-align:center`;
    return `<p style="${style}"><span style="user-select:all;-webkit-user-select:all">${line(block.code)}</span></p>`;
  }
  if ('link' in block) {
    const style = `display:inline-block;padding:12px 24px;border-radius:8px;background-color:${color};color:${textColorOn(color)};font-weight:bold;text-decoration:none`;
    return `<p style="margin:0 0 16px"><a href="${escapeHtml(address(block.link))}" style="${style}">${line(block.label)}</a></p>`;
  }
  const rows = Object.entries(block.details).map(
    ([name, value]) => `<dt style="font-weight:bold">${line(name)}</dt><dd style="margin:0 0 8px">${line(value)}</dd>`,
  );
  return `<dl style="${PARAGRAPH}">${rows.join('')}</dl>`;
}

function line(text: string): string {
  return escapeHtml(oneLine(text));
}

/** An address that ends where its line ends. */
function address(url: string): string {
  return url.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}\s]+/gu, '');
}
