/** What a stream of events says (E2; its form is the HTML standard's), from text in whatever pieces it comes. Pure. */

export interface StreamEvent {
  /** `message` if it has no name. */
  readonly name: string;
  readonly data: string;
  /** What the stream said last of how long to wait before coming back, in milliseconds. */
  readonly retryMs: number | undefined;
}

/** Of the edge's streams none has a carriage return (E2). */
export class EventReader {
  #rest = "";
  #name = "";
  #data: string[] = [];
  #retryMs: number | undefined;

  *read(text: string): Generator<StreamEvent> {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") {
        this.#field(line);
        continue;
      }
      // An event is one that has data.
      if (this.#data.length > 0)
        yield { name: this.#name || "message", data: this.#data.join("\n"), retryMs: this.#retryMs };
      this.#name = "";
      this.#data = [];
    }
  }

  /** Comments have no name. */
  #field(line: string): void {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#name = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.#retryMs = Number(value);
  }
}
