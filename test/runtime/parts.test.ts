/** Parts of the runtime on Node by themselves: what it keeps, and for how long. */
import { duplexPair } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import { PLATFORM } from "../../edge/runtime/node/globals.ts";
import { Namespace } from "../../edge/runtime/node/objects/namespace.ts";
import { type Incoming, pairOfEnds, type Taker } from "../../edge/runtime/node/sockets/end.ts";
import { closeFrame, framed } from "../../edge/runtime/node/sockets/frame.ts";
import { Network } from "../../edge/runtime/node/sockets/network.ts";
import { TIME_LIMITS } from "../../edge/runtime/node/time-limits.ts";
import { deliverLater } from "../../edge/runtime/node/turn.ts";
import { fulfilled } from "../support/fulfilled.ts";

afterEach(() => {
  vi.useRealTimers();
});

class Quiet {
  async hear(): Promise<string> {
    return "heard";
  }
}

const namespaceOf = (construct: unknown) =>
  new Namespace(
    { className: "Quiet", folder: undefined, construct } as ConstructorParameters<typeof Namespace>[0],
    {},
  );

test("a timer that is overdue runs, and nobody is warned of it", async () => {
  const warned: string[] = [];
  const hear = ({ name }: Error) => void warned.push(name);
  process.on("warning", hear);
  const startTimer = PLATFORM.setTimeout as (run: () => void, ms: number) => unknown;
  await new Promise<void>((resolve) => startTimer(resolve, -5));
  // Warnings are told in a later turn.
  await new Promise(setImmediate);
  process.off("warning", hear);

  expect(warned).toEqual([]);
});

describe("objects", () => {
  test("that were asked once leave nothing behind", async () => {
    const namespace = namespaceOf(Quiet);
    const names = Array.from({ length: 1_000 }, (_, i) => `/quotes/${i}`);
    for (const name of names) {
      const stub = namespace.get(namespace.idFromName(name)) as unknown as Quiet;
      expect(await stub.hear()).toBe("heard");
    }
    namespace.rest();
    expect(names.filter((name) => namespace.find(name) === undefined).length).toBe(0);

    const now = performance.now();
    vi.spyOn(performance, "now").mockReturnValue(now + 11_000);
    namespace.rest();
    vi.restoreAllMocks();

    expect(names.filter((name) => namespace.find(name) !== undefined)).toEqual([]);
  });

  test("that can't be made leave nothing behind, either", async () => {
    class Broken {
      constructor() {
        throw new Error("not this one");
      }
    }
    const namespace = namespaceOf(Broken);
    const stub = namespace.get(namespace.idFromName("/quotes/a")) as unknown as Quiet;
    await expect(stub.hear()).rejects.toThrow("not this one");

    namespace.rest();

    expect(namespace.find("/quotes/a")).toBeUndefined();
  });
});

/** Hears what comes to an end. */
class Hearing implements Taker {
  readonly heard: Incoming[] = [];

  message(_: unknown, data: Incoming): void {
    this.heard.push(data);
  }
  closed(): void {}
  faulty(): void {}
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("what is sent within the process", () => {
  test("is copied out of what it is part of, and as it was when it was sent", async () => {
    const [from, to] = pairOfEnds();
    const hearing = new Hearing();
    to.take(hearing);
    const large = new Uint8Array(1_000_000).fill(1);

    from.send(large.subarray(10, 20));
    large.fill(2);
    await turn();

    const [heard] = hearing.heard as ArrayBuffer[];
    expect(heard?.byteLength).toBe(10);
    expect([...new Uint8Array(heard ?? new ArrayBuffer(0))]).toEqual(Array(10).fill(1));
  });

  test("lets others have their turn, however much there is", async () => {
    let delivered = 0;
    const slow = {
      deliver() {
        const until = performance.now() + 1;
        while (performance.now() < until);
        delivered++;
      },
    };
    for (let i = 0; i < 200; i++) deliverLater(slow);

    await turn();
    await turn();

    expect(delivered).toBeGreaterThan(0);
    expect(delivered).toBeLessThan(200);
    while (delivered < 200) await turn();
  });
});

describe("a connection", () => {
  /** The side of a client, and the end at which the edge hears it. */
  function connection() {
    const [client, socket] = duplexPair();
    const [end] = pairOfEnds();
    end.wire = new Network(socket, Buffer.alloc(0), end);
    const faults: Error[] = [];
    end.take({ message() {}, closed() {}, faulty: (_, error) => faults.push(error) });
    const came: Buffer[] = [];
    client.on("data", (chunk: Buffer) => came.push(chunk));
    return { client, socket, end, faults, came };
  }

  test("is ended if a close isn't answered", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { socket, end } = connection();

    end.close(4001, "over");
    vi.advanceTimersByTime(TIME_LIMITS.closeAnswerMs - 1);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(1);

    expect(socket.destroyed).toBe(true);
  });

  test("is ended by a frame without a mask, which workerd would take", async () => {
    const { client, faults, came } = connection();

    client.write(Buffer.from([0x81, 1, 0x61]));
    await fulfilled(() => expect(came.length).toBe(1));

    expect([...Buffer.concat(came)]).toEqual([0x88, 2, 0x03, 0xea]);
    await fulfilled(() => expect(faults.length).toBe(1));
    expect(faults[0]?.message).toBe("Invalid WebSocket frame: MASK must be set");
  });

  test("gets what is sent in one turn in order, once that is over, and counts it until then", async () => {
    const { end, came } = connection();

    end.send("a");
    end.send(new Uint8Array([1]));
    expect([came.length, end.wire.buffered]).toEqual([0, 6]);
    await fulfilled(() => expect(Buffer.concat(came).length).toBe(6));

    expect([...Buffer.concat(came)]).toEqual([0x81, 1, 0x61, 0x82, 1, 1]);
    expect(end.wire.buffered).toBe(0);
  });
});

describe("frames", () => {
  test("of one message are one for all", () => {
    const message = "x".repeat(10);
    expect(framed(message)).toBe(framed(message));
    expect(framed("another")).not.toBe(framed(message));
  });

  test.each([
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 255, 255]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ])("of %i bytes tell their length", (length, head) => {
    const frame = framed("x".repeat(length));
    expect([...frame.subarray(0, head.length)]).toEqual(head);
    expect(frame.length).toBe(head.length + length);
  });

  test("of a close hold code and reason, or nothing", () => {
    expect([...closeFrame(4001, "é")]).toEqual([0x88, 4, 0x0f, 0xa1, 0xc3, 0xa9]);
    expect([...closeFrame(undefined, "")]).toEqual([0x88, 0]);
  });
});
