/**
 * One uplink from the dial to its end: the shell between a WebSocket and the watch list. U1–U4, U9–U15, W8. What is published
 * over it is in shard-publishes.ts, and what is said of subscribers of other edges in shard-counts.ts.
 */
import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import { CLOSE, type CloseName, mayReconnect } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, splitText } from "../../shared/protocol/message.ts";
import { encodeWriting, type Writing } from "../../shared/protocol/publish.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { formatSlice, isWhole } from "../../shared/protocol/slice.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";
import {
  decodeShardSays,
  encodeHello,
  encodeLeaving,
  encodeReady,
  encodeSpreadOut,
  type ShardHello,
  type ShardSays,
} from "../../shared/protocol/uplink.ts";
import { UPLINK_PROTOCOL, VERSION } from "../../shared/protocol/version.ts";
import type { Outgoing, ShardPort } from "../watch/outbox.ts";
import type { ConnectionOptions, Ended } from "./connection-options.ts";
import { departures } from "./departures.ts";
import { BINARY, maskedFrame, TEXT } from "./masked-frame.ts";
import { Pace } from "./pace.ts";
import { isAboutCounts, ShardCounts } from "./shard-counts.ts";
import { ShardPublishes } from "./shard-publishes.ts";
import { ShardRevocations } from "./shard-revocations.ts";
import { UplinkHearing } from "./silence.ts";
import { tooMany } from "./too-many.ts";
import { stepUplink, type UplinkState } from "./uplink-state.ts";

export class UplinkConnection implements ShardPort {
  /** Never rejects. */
  readonly ended: Promise<Ended>;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #end: (ended: Omit<Ended, "greeted">) => void;
  #state: UplinkState = { kind: "dialling" };
  #congested = false;
  #awake = false;
  readonly #publishes: ShardPublishes;
  readonly #counts: ShardCounts;
  readonly #revocations = new ShardRevocations((frame) => this.#say(frame));
  readonly #hearing: UplinkHearing;
  readonly #pace: Pace;
  #pings: NodeJS.Timeout | undefined;
  /** Below the WebSocket, once it is one. */
  #wire: Socket | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#hearing = new UplinkHearing(options.silence, performance.now());
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    this.#end = (ended) => {
      const over = stepUplink(this.#state, { kind: "ended" });
      this.#state = over;
      clearInterval(this.#pings);
      options.watchList.shardLost(this);
      this.#revocations.ended();
      this.#counts.ended();
      resolve({ ...ended, greeted: over.kind === "over" && over.greeted });
    };
    this.#pace = new Pace(options.timing.batchMs);
    this.#socket = new WebSocket(options.url, UPLINK_PROTOCOL, {
      headers: { authorization: options.authorization },
      perMessageDeflate: false,
      followRedirects: false,
      handshakeTimeout: options.timing.deadMs,
      maxPayload: LIMITS.uplinkBacklogBytes,
    });
    const send = (messages: readonly Message[]) => {
      if ("hello" in this.#state) for (const message of messages) this.#socket.send(message);
    };
    this.#publishes = new ShardPublishes(options.publishes, send);
    this.#counts = new ShardCounts(options.occupancy, options.edge, send);
    this.#listen();
  }

  get congested(): boolean {
    return this.#congested;
  }

  /** As the shard has it; undefined before it has said hello, and when the connection is over. */
  get role(): "active" | "standby" | undefined {
    return "hello" in this.#state ? this.#state.kind : undefined;
  }

  /** Not sent yet. */
  get backlogBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** On the wire, frames of WebSocket and pings included. */
  get sentBytes(): number {
    return this.#wire?.bytesWritten ?? 0;
  }

  send(messages: readonly Outgoing[]): void {
    // Without compression `ws` holds nothing back, so that what is written past it keeps its place.
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    for (const { isText, pieces } of messages)
      this.#wire?.write(maskedFrame(isText ? TEXT : BINARY, pieces), this.#sent);
    this.#pace.sent(performance.now());
    if (this.#congested || this.#socket.bufferedAmount <= this.#options.backlogBytes) return;
    this.#congested = true;
    this.#options.log("uplink_congested", { shard: this.#options.shard });
  }

  soon(run: () => void): void {
    departures.add(run, this.#pace.freeAt);
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    setImmediate(() => {
      this.#awake = false;
      this.#guarded(() => {
        if (this.#options.watchList.step(this)) this.wake();
      });
    });
  }

  setReady(ready: boolean): void {
    if ("hello" in this.#state) this.#say(encodeReady(ready));
  }

  /** Tells the shard which partition this origin writes, or no longer does (W8). */
  tellWriting(writing: Writing): void {
    if ("hello" in this.#state) this.#say(encodeWriting(writing));
  }

  /** Resolves with whether the shard has stored it (D4). Never rejects. */
  async tellRevocation(revocation: Revocation): Promise<boolean> {
    return "hello" in this.#state && this.#revocations.tell([revocation]);
  }

  /** Tells the shard that it may let this uplink go (U15). Returns whether it understands that, and will. */
  leave(): boolean {
    if (!("hello" in this.#state) || this.#state.hello.role === undefined) return false;
    this.#say(encodeLeaving());
    return true;
  }

  /** Closes; `ended` resolves at the latest when the shard has had `graceMs` to answer. */
  close(name: CloseName, graceMs: number): void {
    this.#socket.close(CLOSE[name], name);
    setTimeout(() => this.#socket.terminate(), graceMs).unref();
  }

  #listen(): void {
    const { timing, origin, slice } = this.#options;
    const socket = this.#socket;
    socket.on("upgrade", (response) => {
      this.#wire = response.socket;
    });
    socket.on("open", () => {
      this.#hearing.begin(performance.now());
      this.#state = stepUplink(this.#state, { kind: "opened" });
      const hello = { version: VERSION, origin, slice: isWhole(slice) ? undefined : slice };
      this.#say(encodeHello({ ...hello, ...this.#counts.hello() }));
      this.#pings = setInterval(() => this.#ping(), timing.pingMs);
    });
    socket.on("message", (data, isBinary) => {
      if (this.#state.kind === "over") return;
      // A shard that answers pings but never says hello is as good as dead.
      if ("hello" in this.#state) this.#hearing.hear(performance.now());
      if (isBinary) this.#guarded(() => this.#publish(data));
      else if (data.toString() === PONG) this.#hearing.pong();
      else this.#guarded(() => this.#message(data.toString()));
    });
    socket.on("unexpected-response", (request, response) => {
      const status = response.statusCode ?? 0;
      request.destroy();
      const how = isRefusal(status) ? "refused" : "closed";
      this.#end({ how, reason: `the edge answers with status ${status}` });
    });
    socket.on("close", (code, reason) => {
      const name = reason.toString();
      const how = code === CLOSE.replaced ? "replaced" : mayReconnect(code) ? "closed" : "refused";
      this.#end({ how, reason: `closed with ${code}${name === "" ? "" : ` ${name}`}` });
    });
    // A close event follows; if there was no connection yet this says more than that.
    socket.on("error", (error) => this.#end({ how: "closed", reason: error.message }));
  }

  #message(text: string): void {
    for (const frame of splitText(text)) {
      const says = decodeShardSays(frame);
      if (!says.ok) {
        this.#giveUp("bad_frame", `the shard sent what can't be read: ${says.problem}`);
        return;
      }
      this.#take(says.value);
    }
  }

  /** All that a shard says in binary (W6). */
  #publish(data: RawData): void {
    const mayPublish = data instanceof Buffer && "hello" in this.#state;
    const problem = mayPublish
      ? this.#publishes.take(new Uint8Array(data))
      : "the shard sent bytes before its hello";
    if (problem !== undefined) this.#giveUp("bad_frame", problem);
  }

  #take(says: ShardSays): void {
    const { watchList } = this.#options;
    if (says.kind === "hello") this.#greet(says.hello);
    else if (says.kind === "active") this.#activate(says.generation);
    else if (says.kind === "attach") watchList.attach(this, says.link, says.attach);
    else if (says.kind === "cancel") watchList.cancel(this, says.link, says.cancel);
    else if (says.kind === "detach") watchList.detach(this, says.link, says.endpoint);
    else if (says.kind === "spread") void this.#spread(says.id, says.revocation);
    else if (says.kind === "learnt") this.#revocations.learnt(says.id);
    else if (isAboutCounts(says)) this.#counts.take(says);
    else if (says.kind === "get") watchList.get(this, says.id, says.endpoint, says.brief);
  }

  #greet(hello: ShardHello): void {
    if (this.#state.kind !== "greeting") return;
    if (hello.version !== VERSION) {
      this.#giveUp(
        "unsupported_version",
        `the shard speaks version ${hello.version}, this origin ${VERSION}`,
      );
      return;
    }
    const many = tooMany(hello.shards);
    if (many !== undefined) {
      this.#giveUp("bad_frame", many);
      return;
    }
    // It would take this origin for one that reads everything, and believe it that other partitions hold nothing.
    if (!isWhole(this.#options.slice) && hello.slice === undefined) {
      const slice = formatSlice(this.#options.slice);
      this.#giveUp("unsupported_version", `the edge knows no slices, and this origin has only ${slice}`);
      return;
    }
    const { role = "active" } = hello;
    this.#state = stepUplink(this.#state, { kind: role, hello });
    this.#hearing.begin(performance.now());
    this.#options.watchList.shardConnected(this);
    for (const writing of this.#options.publishes?.writing ?? []) this.tellWriting(writing);
    this.#counts.connected(hello);
    void this.#revocations.tell(this.#options.revocations?.known() ?? []);
    this.#options.greeted(hello);
  }

  /** Never rejects. */
  async #spread(id: number, revocation: Revocation): Promise<void> {
    const nowhere = { isKept: false, stored: [], missing: [] };
    const out = (await this.#options.revocations?.spread(revocation)) ?? nowhere;
    if ("hello" in this.#state) this.#say(encodeSpreadOut(id, out));
  }

  /** U14: what follows are the attaches of all that is watched. */
  #activate(generation: number): void {
    this.#state = stepUplink(this.#state, { kind: "activated" });
    const { log, shard } = this.#options;
    log("uplink_active", { shard, generation });
  }

  #giveUp(name: CloseName, reason: string): void {
    this.#end({ how: "refused", reason });
    this.close(name, this.#options.timing.deadMs);
  }

  #ping(): void {
    this.#options.watchList.passTime();
    if (this.#silentMs() === undefined) {
      this.#socket.send(PING);
      this.#hearing.ping(this.sentBytes);
      // Pings wake nobody. A standby's heartbeat does: with it comes the time to look after the active one (U9).
      if (this.#state.kind === "standby") this.setReady(this.#options.isReady());
      return;
    }
    // After a pause of this process what was sent meanwhile is still to be read.
    setImmediate(() => {
      const ms = this.#silentMs();
      if (ms === undefined) return;
      // One that never said hello was sent nothing that could take its time.
      if ("hello" in this.#state) this.#hearing.gaveUp(this.sentBytes);
      this.#end({ how: "closed", reason: `nothing was heard for ${ms} ms` });
      this.#socket.terminate();
    });
  }

  #silentMs(): number | undefined {
    return this.#hearing.silentMs(performance.now());
  }

  #say(frame: string): void {
    this.#socket.send(encodeAddressed({ kind: "shard" }, frame));
  }

  /** Forwarding goes on when half of the backlog has left. */
  readonly #sent = (): void => {
    if (!this.#congested || this.#socket.bufferedAmount > this.#options.backlogBytes / 2) return;
    this.#congested = false;
    this.#options.log("uplink_drained", { shard: this.#options.shard });
    this.wake();
  };

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#socket.terminate();
      this.#options.failed(error);
    }
  }
}

/** Whether a status says that the request itself is wrong, and not that the edge can't take it just now. */
export function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
