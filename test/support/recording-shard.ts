/** A shard port that keeps what is sent to it. */
import type { Outgoing, ShardPort } from "../../origin/watch/outbox.ts";
import type { WatchList } from "../../origin/watch/watch-list.ts";
import type { Attached } from "../../shared/protocol/attach.ts";
import { type Message, splitText } from "../../shared/protocol/message.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { decodeOriginSays } from "../../shared/protocol/uplink.ts";
import { messageOf } from "./outgoing.ts";

export class RecordingShard implements ShardPort {
  readonly #watchList: WatchList;
  congested = false;
  wakes = 0;
  messages: Message[] = [];

  constructor(watchList: WatchList) {
    this.#watchList = watchList;
    watchList.shardConnected(this);
  }

  send(messages: readonly Outgoing[]): void {
    this.messages.push(...messages.map(messageOf));
  }

  soon(run: () => void): void {
    run();
  }

  wake(): void {
    this.wakes++;
  }

  attach(link: number, endpoint: string, id: number, from?: Position): void {
    this.#watchList.attach(this, link, { endpoint, id, from });
  }

  /** A link that is live on `/t/a`, whose answer has been taken. */
  goLive(link: number): void {
    this.attach(link, "/t/a", 1);
    this.work();
    this.taken();
  }

  /** Everything that can be done now. */
  work(): void {
    while (this.#watchList.step(this));
  }

  /** Text frames that came since the last call: `address frame`. */
  taken(): string[] {
    const items = this.messages.flatMap((message) => (typeof message === "string" ? splitText(message) : []));
    this.messages = [];
    return items.map((item) => item.replace("\t", " "));
  }

  /**
   * Attaches a link of its own and returns its answer and the offsets in it; undefined if it must wait, whatever
   * happens meanwhile.
   */
  answerTo(
    endpoint: string,
    from?: Position,
    meanwhile: () => void = () => undefined,
  ): { attached: Attached; offsets: (number | undefined)[] } | undefined {
    this.taken();
    this.attach(999, endpoint, 1, from);
    this.work();
    meanwhile();
    this.work();
    this.#watchList.detach(this, 999, endpoint);
    const [head, ...updates] = this.taken()
      .filter((item) => !item.includes('{"waiting"'))
      .map((item) => item.slice(item.indexOf(" ") + 1));
    const says = decodeOriginSays(head ?? "");
    if (!says.ok || says.value.kind !== "attached") return undefined;
    const offsets = updates.map((update) => Number(/"p":"[^:]+:(\d+)"/.exec(update)?.[1]));
    return { attached: says.value.attached, offsets };
  }
}
