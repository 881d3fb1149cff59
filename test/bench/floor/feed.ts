/** Feeds the `ws` server of batching-ws.ts: updates as the product's origin would send them. */
import WebSocket from "ws";
import { encodeUpdate } from "../../../shared/protocol/frame.ts";
import { type Floor, serveBatchingFloor } from "./serve.ts";

export class FedFloor {
  readonly url: string;
  readonly pid: number;
  readonly #floor: Floor;
  readonly #feed: WebSocket;
  #offset = 0;

  static async start(): Promise<FedFloor> {
    const floor = await serveBatchingFloor();
    const feed = new WebSocket(`${floor.url.replace("http", "ws")}/feed`);
    await new Promise((resolve, reject) => feed.once("open", resolve).once("error", reject));
    return new FedFloor(floor, feed);
  }

  private constructor(floor: Floor, feed: WebSocket) {
    this.url = floor.url;
    this.pid = floor.pid ?? 0;
    this.#floor = floor;
    this.#feed = feed;
  }

  /** An update of each path, in one message. */
  produce(paths: readonly string[], text: string): void {
    const offset = ++this.#offset;
    const frames = paths.map((endpoint) =>
      encodeUpdate({
        endpoint,
        epoch: "floor0.0",
        offset,
        previous: offset - 1,
        timestamp: Date.now(),
        headers: [],
        value: { kind: "json", text },
      }),
    );
    this.#feed.send(frames.join("\u001e"));
  }

  async stop(): Promise<void> {
    this.#feed.terminate();
    await this.#floor.stop();
  }
}
