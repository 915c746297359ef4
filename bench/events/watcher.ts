/** Watches all events of a service by Server-Sent Events, and notes when each came. */
export class EventWatcher {
  /** When each event came, in milliseconds since 1970, by the id that its BMC gave it behind the node. */
  readonly told = new Map<string, number>();
  repeated = 0;
  /** Milliseconds from `receive_time`, the moment at which the transaction began, which is in whole milliseconds. */
  latencies: number[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  private constructor(response: Response) {
    this.#ended = this.#read(response).catch(() => {});
  }

  static async start(url: string): Promise<EventWatcher> {
    const stop = new AbortController();
    const watcher = new EventWatcher(await fetch(`${url}/v1/events/stream`, { signal: stop.signal }));
    watcher.#stop.signal.addEventListener('abort', () => stop.abort());
    return watcher;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #read(response: Response): Promise<void> {
    let rest = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const now = performance.timeOrigin + performance.now();
      const messages = (rest + chunk).split('\n\n');
      rest = messages.pop()!;
      for (const message of messages) {
        const data = /^event: event\n(?:.*\n)*?data: (.*)$/m.exec(message)?.[1];
        if (data === undefined) continue;
        const event = JSON.parse(data);
        if (event.kind !== 'EVENT_KIND_RECORD') continue;
        const id = `${event.node_uuid} ${event.bmc_event_id}`;
        if (this.told.has(id)) this.repeated++;
        this.told.set(id, now);
        this.latencies.push(now - Date.parse(event.receive_time));
      }
    }
  }
}
