let addresses = 0;

/** An address of 10.0.0.0/8 that was not given out before in this process. */
export function newAddress(): string {
  addresses += 1;
  return `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}`;
}
