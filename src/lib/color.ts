const DEFAULT = '#1f2937';

/** A colour as `#rrggbb`. Whatever is no hex colour gives a dark grey, so that nothing else gets into a style. */
export function hexColor(color: string): string {
  if (/^#[0-9a-f]{6}$/i.test(color)) return color.toLowerCase();
  const [, r, g, b] = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(color) ?? [];
  return r && g && b ? `#${r}${r}${g}${g}${b}${b}`.toLowerCase() : DEFAULT;
}

/**
 * Black or white, whichever reads better on a colour. The better one always has a contrast of at least 4.5 to 1
 * (WCAG 2.2, 1.4.3).
 */
export function textColorOn(background: string): '#000000' | '#ffffff' {
  const luminance = luminanceOf(hexColor(background));
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? '#000000' : '#ffffff';
}

/** The relative luminance of WCAG 2.2. */
function luminanceOf(color: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
