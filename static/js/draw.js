/* The draw, as /sales/<sale>/draw/ publishes it and flashsale/line.py works it out:

     place = 1 + floor(SHA-256(seed ":" shopper) * entrants / 2^256) */

export async function drawnPlace(seed, shopper, entrants) {
  const text = new TextEncoder().encode(`${seed}:${shopper}`);
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return 1 + Number((number * BigInt(Math.max(1, entrants))) >> 256n);
}
