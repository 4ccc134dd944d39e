/** The host's clock, as far as the page can know it: the two may run on different computers. */

let lead = 0;

/** Every message of the host brings its time along. Milliseconds since the epoch. */
export function setHostTime(now: number): void {
  lead = now - Date.now();
}

export function hostTime(): number {
  return Date.now() + lead;
}
