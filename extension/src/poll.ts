/** Asks again and again while somebody looks: one question at a time, and none when nobody does. */
export class Poll {
  #current: AbortController | undefined;
  #goOn: (() => void) | undefined;
  #isHurried = false;

  /**
   * @param ask must not throw; its signal is aborted when nobody wants the answer any more.
   * @param milliseconds from an answer to the next question.
   */
  constructor(
    readonly ask: (signal: AbortSignal) => Promise<void>,
    readonly milliseconds: number,
  ) {}

  /** Begin at once or end, unless that is done already. */
  set isWanted(wanted: boolean) {
    if (wanted === (this.#current !== undefined)) return;
    if (wanted) {
      this.#current = new AbortController();
      void this.#run(this.#current.signal);
    } else {
      this.#current?.abort();
      this.#current = undefined;
      this.#goOn?.();
    }
  }

  /** Ask again without waiting for the time to pass; nothing happens while nobody looks. */
  hurry(): void {
    this.#isHurried = true;
    this.#goOn?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isHurried = false;
      await this.ask(signal);
      await this.#pause(signal);
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#isHurried) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.milliseconds);
      this.#goOn = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
