/** The cases that PROTOCOL.md gives to authors of clients (shared/vectors), held against the project's own code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect, type SharedSubscription, subscribe } from "../../shared/client/client.ts";
import { classify } from "../../shared/core/continuity.ts";
import { base64Path, endpointPath, parseAddress } from "../../shared/protocol/address.ts";
import { readStatement, type Said } from "../../shared/protocol/connection-frames.ts";
import { decodeDown } from "../../shared/protocol/down.ts";
import {
  decodeUpdate,
  encodeUpdate,
  type Frame,
  type Header,
  type Update,
  type Value,
} from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { packMessages, splitBinary, splitText } from "../../shared/protocol/message.ts";
import {
  formatPosition,
  formatStart,
  NOTHING,
  parseComponent,
  parsePosition,
  reaches,
  withComponent,
} from "../../shared/protocol/position.ts";
import { decodePublication, isPublishKey, problemOfHeaders } from "../../shared/protocol/publication.ts";
import { PING } from "../../shared/protocol/subscriber.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeTransport } from "../support/fake-transport.ts";
import { tellAll, tellingOf } from "../support/telling.ts";
import { classifyValue } from "../support/values.ts";

interface Paths {
  readonly canonical: readonly { readonly topic: string; readonly keyHex: string; readonly path: string }[];
  readonly base64: readonly {
    readonly topic: string;
    readonly keyHex: string;
    readonly path: string;
    readonly canonical: string;
  }[];
  readonly otherSpellings: readonly { readonly path: string; readonly canonical: string }[];
  readonly refused: readonly { readonly path: string; readonly code: string }[];
}

interface Positions {
  readonly valid: readonly {
    readonly text: string;
    readonly components: Record<string, number>;
    readonly canonical: string;
  }[];
  readonly invalid: readonly string[];
  readonly reached: readonly {
    readonly position: string;
    readonly head: string;
    readonly reached: boolean;
  }[];
}

interface Continuity {
  readonly cases: readonly {
    readonly name: string;
    readonly position: string;
    readonly p: string;
    readonly q: number | null;
    readonly does: "take" | "drop" | "ask";
    readonly then: string;
  }[];
}

type Raw = { readonly text: string } | { readonly hex: string };

interface RawUpdate {
  readonly endpoint: string;
  readonly epoch: string;
  readonly offset: number;
  readonly previous: number | null;
  readonly timestamp: number | null;
  readonly headers: readonly (readonly [string, string | null | { readonly hex: string }])[];
  readonly headersOmitted: number | null;
  readonly value:
    | { readonly kind: "json" | "text"; readonly text: string }
    | { readonly kind: "bytes"; readonly hex: string }
    | { readonly kind: "tombstone" }
    | { readonly kind: "omitted"; readonly size: number };
}

type Named = Raw & { readonly name: string };

interface Frames {
  readonly frames: readonly (Named & { readonly update: RawUpdate })[];
  readonly read: readonly (Named & { readonly update: RawUpdate })[];
  readonly malformed: readonly Named[];
  readonly values: readonly { readonly hex: string | null; readonly kind: string }[];
  readonly messages: readonly (Named & { readonly frames: readonly Raw[] | null })[];
}

interface Receiver {
  readonly scenarios: readonly {
    readonly name: string;
    readonly from: string | null;
    readonly steps: readonly {
      readonly says: string;
      readonly tells: readonly string[];
      readonly position: string | null;
      readonly state: string;
    }[];
  }[];
}

interface Publications {
  readonly frames: readonly (Named & {
    readonly says: {
      readonly id: number;
      readonly path: string;
      readonly key: string | null;
      readonly headers: readonly (readonly [string, null | { readonly hex: string }])[];
      readonly valueHex: string | null;
    };
  })[];
  readonly malformed: readonly Named[];
  readonly refused: readonly Named[];
  readonly answers: readonly {
    readonly name: string;
    readonly text: string;
    readonly means: string;
    readonly id: number | null;
  }[];
}

interface Connections {
  readonly says: readonly (Named & { readonly text: string; readonly says: readonly object[] })[];
  readonly closes: readonly { readonly name: string; readonly text: string }[];
  readonly answers: readonly {
    readonly name: string;
    readonly text: string;
    readonly means: string;
    readonly id: number | null;
    readonly endpoint: string | null;
  }[];
  readonly sessions: readonly {
    readonly name: string;
    readonly steps: readonly {
      readonly does?:
        | { readonly subscribe: string; readonly from?: string; readonly occupancy?: true }
        | { readonly unsubscribe: string }
        | "reconnect";
      readonly hears?: string;
      readonly says: readonly object[];
      readonly tells: readonly string[];
      readonly states: Readonly<Record<string, string>>;
    }[];
  }[];
}

function load<T>(name: string): T {
  return JSON.parse(
    readFileSync(join(import.meta.dirname, `../../shared/vectors/${name}.json`), "utf8"),
  ) as T;
}

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const frameOf = (raw: Raw): Frame => ("hex" in raw ? bytes(raw.hex) : raw.text);
const positionOf = (text: string) => parsePosition(text) ?? NOTHING;

describe("paths.json", () => {
  const { canonical, base64, otherSpellings, refused } = load<Paths>("paths");

  test.each(canonical)("[A1] [A2] [A5] $path", ({ topic, keyHex, path }) => {
    expect(endpointPath(topic, bytes(keyHex))).toBe(path);
    expect(parseAddress(path)).toEqual({
      ok: true,
      canonical: true,
      isBase64: false,
      address: { topic, key: bytes(keyHex), path },
    });
  });

  test.each(otherSpellings)("[A3] $path is another spelling of $canonical", ({ path, canonical }) => {
    const read = parseAddress(path);

    expect(read.ok && [read.canonical, read.address.path]).toEqual([false, canonical]);
  });

  test.each(base64)("[A13] $path is served like $canonical", ({ topic, keyHex, path, canonical }) => {
    expect(base64Path({ topic, key: bytes(keyHex) })).toBe(path);
    expect(parseAddress(path)).toMatchObject({
      isBase64: true,
      address: { topic, key: bytes(keyHex), path: canonical },
    });
  });

  test.each(refused)("[A4] [A5] $path is refused: $code", ({ path, code }) => {
    expect(parseAddress(path)).toEqual({ ok: false, code });
  });
});

describe("positions.json", () => {
  const { valid, invalid, reached } = load<Positions>("positions");

  test.each(valid)("[P1] [P2] $text is a position", ({ text, components, canonical }) => {
    const position = positionOf(text);

    expect(Object.fromEntries(position)).toEqual(components);
    expect(formatPosition(position)).toBe(canonical);
  });

  test.each(invalid.map((text) => [text]))("[P1] [P2] %j is none", (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  test.each(reached)("[S14] that $position has reached $head: $reached", ({ position, head, reached }) => {
    expect(reaches(positionOf(position), positionOf(head))).toBe(reached);
  });
});

describe("continuity.json", () => {
  const words = { take: "next", drop: "duplicate", ask: "gap" } as const;

  test.each(load<Continuity>("continuity").cases)("[P5] $name", ({ position, p, q, does, then }) => {
    const component = parseComponent(p) ?? { epoch: "", offset: -1 };
    const before = positionOf(position);
    const after = does === "take" ? withComponent(before, component.epoch, component.offset) : before;

    expect(classify(before, { ...component, previous: q ?? undefined })).toBe(words[does]);
    expect(formatPosition(after)).toBe(then);
  });
});

describe("frames.json", () => {
  const { frames, read, malformed, values, messages } = load<Frames>("frames");

  test.each(frames)("[F2] [F4] [F5] [F6] [F7] [F8] $name: written and read", (frame) => {
    const update = updateOf(frame.update);

    expect(encodeUpdate(update)).toEqual(frameOf(frame));
    expect(decodeUpdate(frameOf(frame))).toEqual({ ok: true, value: update });
  });

  test.each(read)("[F2] [V3] $name: read", (frame) => {
    expect(decodeUpdate(frameOf(frame))).toEqual({ ok: true, value: updateOf(frame.update) });
  });

  test.each(malformed)("[F9] $name: malformed", (frame) => {
    expect(decodeUpdate(frameOf(frame)).ok).toBe(false);
  });

  test.each(values)("[F3] $hex travels as $kind", ({ hex, kind }) => {
    expect(classifyValue(hex === null ? null : bytes(hex)).kind).toBe(kind);
  });

  test.each(messages)("[F10] [F11] $name", (message) => {
    const whole = frameOf(message);
    const parts = typeof whole === "string" ? splitText(whole) : splitBinary(Uint8Array.from(whole));

    expect(parts).toEqual(message.frames?.map(frameOf));
  });

  test("[S12] a message of several frames has at most 768 KiB, whatever their characters", () => {
    // No character takes more bytes for each of its UTF-16 units.
    const frame = `{"e":"/t/k","p":"a.0:1","s":"${"\u20ac".repeat(100_000)}"}`;

    const packed = packMessages([frame, frame, frame, frame], LIMITS.batchBytes);

    const sizes = packed.map((message) => Buffer.byteLength(message));
    expect(packed.map((message) => splitText(String(message)).length)).toEqual([2, 2]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(768 * 1024);
  });
});

describe("receiver.json", () => {
  test.each(load<Receiver>("receiver").scenarios)("[S3] [S4] [S5] [S13] [S14] [S15] $name", (scenario) => {
    const transport = new FakeTransport();
    const options = { transport, clock: new FakeClock(), ...(scenario.from && { from: scenario.from }) };
    const subscription = subscribe("ws://edge.example/t/k", options);
    const told = tellingOf(subscription);
    const { socket } = transport;
    socket.open();
    told.length = 0;

    for (const { says, tells, position, state } of scenario.steps) {
      const before = socket.sent.length;
      socket.say(says);
      const asked = socket.sent.slice(before).filter((frame) => frame !== PING);

      expect([...told, ...asked.map((frame) => `ask ${frame}`)], says).toEqual(tells);
      expect([subscription.position ?? null, STATES[subscription.phase]], says).toEqual([position, state]);
      told.length = 0;
    }
    subscription.close();
  });
});

describe("connections.json", () => {
  const { says, closes, answers, sessions } = load<Connections>("connections");

  test.each(says)("[M2] [M3] [S16] [O4] [W22] $name", (raw) => {
    expect(readStatement(raw.text)?.map(inWords)).toEqual(raw.says);
  });

  test.each(closes)("[M2] closes the connection: $name", ({ text }) => {
    expect(readStatement(text)).toBeUndefined();
  });

  test.each(answers)("[M3] [M4] [M5] [M8] [M10] [O4] $name", ({ text, means, id, endpoint }) => {
    const down = decodeDown(text);
    if (!down.ok) throw new Error(down.problem);
    const { kind, ...about } = down.value;

    expect({ kind, id: null, endpoint: null, ...about }).toMatchObject({ kind: means, id, endpoint });
  });

  test.each(sessions)("[M3] [M4] [M5] [M6] [M8] [S13] [S15] $name", ({ steps }) => {
    const [transport, clock] = [new FakeTransport(), new FakeClock()];
    const connection = connect("wss://edge.example", { transport, clock });
    transport.socket.open();
    const followed = new Map<string, SharedSubscription>();
    const told: string[] = [];
    const said = () =>
      transport.socket.messages
        .splice(0)
        .filter((message) => message !== PING)
        .map((message) => JSON.parse(String(message)) as object);

    for (const { does, hears, says, tells, states } of steps) {
      if (does === "reconnect") {
        transport.socket.drop();
        clock.pass(connection.state.retryMs ?? 0);
        transport.socket.open();
      } else if (does !== undefined && "unsubscribe" in does) followed.get(does.unsubscribe)?.close();
      else if (does !== undefined) {
        const { subscribe: path, from, occupancy } = does;
        const subscription = connection.subscribe(path, { from, occupancy });
        followed.set(path, subscription);
        tellAll(subscription, (line) => told.push(`${path} ${line}`));
      }
      if (hears !== undefined) transport.socket.say(hears);
      clock.pass(0);

      const what = JSON.stringify(does ?? hears);
      expect(said(), what).toEqual(says);
      expect(told.splice(0), what).toEqual(tells);
      expect(
        Object.fromEntries([...followed].map(([path, { phase }]) => [path, STATES[phase]])),
        what,
      ).toEqual(states);
    }
    connection.close();
  });
});

/** What a client said, in the words of the vectors. */
function inWords(said: Said): object {
  switch (said.kind) {
    case "subscribe": {
      const { id, endpoint, from, occupancy = false } = said;
      return { subscribe: endpoint, id, from: formatStart(from) ?? null, occupancy };
    }
    case "unsubscribe":
      return { unsubscribe: said.endpoint, id: said.id };
    case "renew":
      return { renew: said.token, id: said.id };
    case "publish":
      return { publish: said.publication.endpoint, id: said.id };
    case "ping":
      return { ping: true };
    case "faulty":
      return { refused: said.code, id: said.id };
    case "other":
      return { refused: "unsupported", id: said.id };
  }
}

interface Close {
  readonly close: number;
  readonly reason: string;
  readonly then: "reconnect" | "end";
  readonly code?: string;
  readonly message?: string;
}

describe("closes.json", () => {
  test.each(load<{ cases: readonly Close[] }>("closes").cases)(
    "[C3] [C4] [H9] after $close $reason: $then",
    ({ close, reason, then, code, message }) => {
      const transport = new FakeTransport();
      const subscription = subscribe("ws://edge.example/t/k", { transport, clock: new FakeClock() });
      const errors: unknown[] = [];
      subscription.on("error", (error) => errors.push(error));

      transport.socket.open().drop(close, reason);

      expect(subscription.connection.state).toBe(then === "end" ? "closed" : "backingOff");
      expect(errors).toEqual(then === "end" ? [{ code, message, retry: false }] : []);
      subscription.close();
    },
  );
});

const STATES = {
  away: "away",
  asked: "asked",
  waiting: "waiting",
  catchingUp: "catching up",
  live: "live",
  ended: "ended",
} as const;

/** What a subscription tells, in the words of the vectors. */
function updateOf(raw: RawUpdate): Update {
  const { endpoint, epoch, offset, previous, timestamp, headers, headersOmitted, value } = raw;
  return {
    endpoint,
    epoch,
    offset,
    previous: previous ?? undefined,
    timestamp: timestamp ?? undefined,
    headers: headers.map(
      ([name, text]): Header => [name, typeof text === "object" && text !== null ? bytes(text.hex) : text],
    ),
    ...(headersOmitted !== null && { headersOmitted }),
    value: producedValue(value),
  };
}

function producedValue(value: RawUpdate["value"]): Value {
  return value.kind === "bytes" ? { kind: "bytes", bytes: bytes(value.hex) } : value;
}

describe("publications.json", () => {
  const { frames, malformed, refused, answers } = load<Publications>("publications");
  const hexOf = (value: string | Uint8Array | null) =>
    value === null
      ? null
      : Buffer.from(typeof value === "string" ? Buffer.from(value) : value).toString("hex");

  test.each(frames)("[W21] $name", (raw) => {
    const read = decodePublication(frameOf(raw));
    if (!read?.ok) throw new Error(read?.problem);
    const { id, endpoint, key = null, headers, value } = read.value;

    expect({
      ...{ id, path: endpoint, key, valueHex: hexOf(value) },
      headers: headers.map(([name, content]) => [name, content === null ? null : { hex: hexOf(content) }]),
    }).toEqual(raw.says);
  });

  test.each(malformed)("[W21] malformed: $name", (raw) => {
    expect(decodePublication(frameOf(raw))?.ok ?? false).toBe(false);
  });

  test.each(refused)("[W2] [W3] refused: $name", (raw) => {
    const read = decodePublication(frameOf(raw));
    if (!read?.ok) throw new Error(read?.problem);
    const { key, headers } = read.value;

    expect(problemOfHeaders(headers) !== undefined || !isPublishKey(key ?? "a key")).toBe(true);
  });

  test.each(answers)("[W23] [W24] $name", ({ text, means, id }) => {
    const down = decodeDown(text);

    expect(down.ok && [down.value.kind, "id" in down.value ? (down.value.id ?? null) : null]).toEqual([
      means,
      id,
    ]);
  });
});
