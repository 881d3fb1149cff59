/**
 * Commands to a process of the load, and its answers, over Node's own channel. Such a process ends with the one that
 * started it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What a process does, by name. */
export type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

type Argument<H extends Handlers, Name extends keyof H> = Parameters<H[Name]>[0];
export type Answer<H extends Handlers, Name extends keyof H> = Awaited<ReturnType<H[Name]>>;

interface Command {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly problem: string };

/** kafkajs sets timers to times that have passed, and Node would tell of each. */
const FLAGS = ["--max-semi-space-size=16", "--disable-warning=TimeoutNegativeWarning"];

/** In the process: answers until the channel closes. */
export function answer(handlers: Handlers): void {
  const reply = async ({ id, name, argument }: Command): Promise<Reply> => {
    try {
      const handler = handlers[name] as ((argument: unknown) => unknown) | undefined;
      if (handler === undefined) throw new Error(`there is no command ${name}`);
      return { id, answer: await handler(argument) };
    } catch (error) {
      return { id, problem: error instanceof Error ? error.message : String(error) };
    }
  };
  process.on("message", async (command: Command) => process.send?.(await reply(command)));
  process.on("disconnect", () => process.exit(0));
}

const running = new Set<{ stop(): Promise<void> }>();
let interrupted = false;
/** npm passes on what a terminal has sent to all its processes already: the same signal twice, at once. */
const REPEATED_MS = 1_000;

/**
 * Ends the load on SIGINT and SIGTERM, so that whoever waits for it fails, and puts everything else away as it does
 * after any failure. A second signal ends the process at once.
 */
export function interruptOnSignal(): void {
  let since = 0;
  const interrupt = () => {
    if (interrupted) {
      if (performance.now() - since > REPEATED_MS) process.exit(130);
      return;
    }
    since = performance.now();
    interrupted = true;
    process.exitCode = 130;
    interruption.reject(new Error("interrupted"));
    for (const one of running) void one.stop();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
}

export const isInterrupted = () => interrupted;

const interruption = Promise.withResolvers<never>();
interruption.promise.catch(() => {});

/** Rejects as soon as a signal comes: for what would wait long for processes that a terminal has told to end as well. */
export function unlessInterrupted<T>(promise: Promise<T>): Promise<T> {
  return Promise.race([promise, interruption.promise]);
}

/** Throws where a signal has come: before what would only have to be put away again. */
export function goOn(): void {
  if (interrupted) throw new Error("interrupted");
}

/** In the one who started it. */
export class LoadProcess<H extends Handlers> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: never): void; reject(error: Error): void }>();
  #last = 0;

  constructor(script: string) {
    this.#child = fork(script, { execArgv: FLAGS, serialization: "advanced" });
    this.#child.on("message", (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ("problem" in reply) waiting?.reject(new Error(reply.problem));
      else waiting?.resolve(reply.answer as never);
    });
    running.add(this);
    this.#child.once("exit", (code, signal) => {
      running.delete(this);
      for (const { reject } of this.#waiting.values())
        reject(new Error(`a process of the load ended with ${signal ?? code}`));
      this.#waiting.clear();
    });
    // Who goes on after an interruption must find out.
    if (interrupted) void this.stop();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects with what the process said is the matter, or when it has ended. */
  ask<Name extends keyof H & string>(name: Name, argument: Argument<H, Name>): Promise<Answer<H, Name>> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const command: Command = { id, name, argument };
      this.#child.send(command, (error) => {
        if (error === null || !this.#waiting.delete(id)) return;
        reject(new Error("a process of the load has ended"));
      });
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
