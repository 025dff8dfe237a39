import encodeQR from 'qr';

/** A text as a QR code: an SVG image in a `data:` URL, dark on white whatever page it stands on. */
export function qrCodeUrl(text: string): string {
  const svg = encodeQR(text, 'svg', { ecc: 'medium', border: 4 }).replace('<path ', '<path fill="#000" ');
  const size = /viewBox="0 0 (\d+) /.exec(svg)?.[1] ?? '0';
  const opaque = svg.replace('<path ', `<rect width="${size}" height="${size}" fill="#fff"/><path `);
  return `data:image/svg+xml;base64,${Buffer.from(opaque).toString('base64')}`;
}
