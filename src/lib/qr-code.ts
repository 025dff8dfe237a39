import encodeQR from 'qr';

/** CSS pixels. */
const SIZE = 240;

/** A text as a QR code: an SVG image in a `data:` URL, dark on white whatever page it stands on. */
export function qrCodeUrl(text: string): string {
  const svg = encodeQR(text, 'svg', { ecc: 'medium', border: 4 }).replace('<path ', '<path fill="#000" ');
  const size = /viewBox="0 0 (\d+) /.exec(svg)?.[1] ?? '0';
  const opaque = svg.replace('<path ', `<rect width="${size}" height="${size}" fill="#fff"/><path `);
  // Its own size is one at which a camera reads it; a page may show it in another.
  const sized = opaque.replace('<svg ', `<svg width="${SIZE}" height="${SIZE}" `);
  return `data:image/svg+xml;base64,${Buffer.from(sized).toString('base64')}`;
}
