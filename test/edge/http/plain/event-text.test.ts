import { describe, expect, test } from "vitest";
import {
  endingText,
  parsePlaces,
  placesText,
  retryText,
  toldText,
} from "../../../../edge/http/plain/event-text.ts";
import { encodeUpdate, updateAsJson, type Value } from "../../../../shared/protocol/frame.ts";
import { NOTHING, type Position, parseLongPosition } from "../../../../shared/protocol/position.ts";

const at = (text: string): Position => parseLongPosition(text) ?? NOTHING;

const frameOf = (value: Value, headers: [string, string | Uint8Array | null][] = []) =>
  encodeUpdate({
    endpoint: "/quotes/A",
    epoch: "e.0",
    offset: 7,
    previous: 5,
    timestamp: 1,
    headers,
    value,
  });

const textOf = (value: Value) => toldText({ kind: "update", frame: frameOf(value) }, at("d.1:3,e.0:7"));

/** By the HTML standard's own rules: lines end with CRLF, LF or CR; data lines are joined by LF. */
function dataOf(text: string): string {
  const lines = text.split(/\r\n|\r|\n/);
  return lines.flatMap((line) => (line.startsWith("data: ") ? [line.slice(6)] : [])).join("\n");
}

describe("the text of an event", () => {
  test("[E2] an update is an event without a name, its id the whole position, its data the frame as it is", () => {
    expect(textOf({ kind: "json", text: '{"bid":1.50}' })).toBe(
      'id: d.1:3,e.0:7\ndata: {"e":"/quotes/A","p":"e.0:7","q":5,"t":1,"v":{"bid":1.50}}\n\n',
    );
  });

  test("[E2] lines of a value are lines of the data, and a carriage return, which can be no more than white space, is one too", () => {
    const text = textOf({ kind: "json", text: '{\n"a":\r\n1,\r"b":2}' });

    expect(text.split("\n").filter((line) => !/^(id|data): /.test(line))).toEqual(["", ""]);
    expect(dataOf(text)).toContain('"v":{\n"a":\n1,\n"b":2}}');
    expect((JSON.parse(dataOf(text)) as { v: unknown }).v).toEqual({ a: 1, b: 2 });
  });

  test("[E2] no value ends its event: a text travels as a JSON string", () => {
    const evil = "x\n\nevent: verdict\rid: e.0:99\r\ndata: {}\n\n";
    const text = textOf({ kind: "text", text: evil });

    expect(text.match(/[\r\n]/g)).toHaveLength(3);
    expect((JSON.parse(dataOf(text)) as { s: string }).s).toBe(evil);
  });

  test("[E2] a binary value is base64 in b, after its length", () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
    const json = JSON.parse(dataOf(textOf({ kind: "bytes", bytes }))) as { n: number; b: string };

    expect(json.n).toBe(70_000);
    expect(Buffer.from(json.b, "base64").equals(bytes)).toBe(true);
    expect(updateAsJson(frameOf({ kind: "bytes", bytes: new Uint8Array(0) }))).toMatch(/,"n":0,"b":""}$/);
    const headers: [string, string | Uint8Array | null][] = [["ü", new Uint8Array([1])]];
    expect(
      JSON.parse(updateAsJson(frameOf({ kind: "bytes", bytes: new Uint8Array([9]) }, headers))),
    ).toMatchObject({
      h: [["ü", "AQ==", "base64"]],
      n: 1,
      b: "CQ==",
    });
  });

  test("[E2] [E3] verdicts and resets carry the position that they put the client to", () => {
    const verdict = { position: at("e.0:1"), head: at("e.0:2"), recovered: false, cause: "horizon" };

    expect(toldText({ kind: "verdict", verdict }, NOTHING)).toBe(
      'event: verdict\nid: e.0:1\ndata: {"position":"e.0:1","head":"e.0:2","recovered":false,"cause":"horizon"}\n\n',
    );
    expect(toldText({ kind: "reset", verdict: { position: NOTHING, head: NOTHING } }, NOTHING)).toBe(
      'event: reset\nid: -\ndata: {"position":"-","head":"-"}\n\n',
    );
  });

  test("[E3] a position of more components than a client may name is no id, so that the client begins anew", () => {
    const long = at(Array.from({ length: 65 }, (_, i) => `e.${i}:1`).join(","));
    const told = { kind: "update", frame: frameOf({ kind: "tombstone" }) } as const;

    expect(toldText(told, long)).toMatch(/^id: \ndata: /);
    expect(toldText(told, at("e.0:7"))).toMatch(/^id: e\.0:7\ndata: /);
  });

  test("[E2] gaps, waits and tokens that end leave the id as it is", () => {
    const error = { code: "unavailable", message: "m", retry: true };

    expect(toldText({ kind: "gap", ask: "x" }, at("e.0:3"))).toBe(
      'event: gap\ndata: {"position":"e.0:3"}\n\n',
    );
    expect(toldText({ kind: "wait", error }, NOTHING)).toBe(
      `event: wait\ndata: ${JSON.stringify(error)}\n\n`,
    );
    expect(toldText({ kind: "expires", inSeconds: 60 }, NOTHING)).toBe('event: expires\ndata: {"in":60}\n\n');
    expect(toldText({ kind: "occupancy", subscribers: 12 }, NOTHING)).toBe(
      'event: occupancy\ndata: {"subscribers":12}\n\n',
    );
  });

  test("[E4] an end says whether to come back, and when", () => {
    const ending = { code: "overloaded", message: "m", retry: true };

    expect(retryText(1_234.5)).toBe("retry: 1235\n\n");
    expect(endingText(ending, 5_000)).toBe(`retry: 5000\nevent: error\ndata: ${JSON.stringify(ending)}\n\n`);
    expect(endingText({ ...ending, code: "expired", retry: false }, 5_000)).not.toContain("retry: ");
  });

  test("[E5] a heartbeat is a comment", () => {
    expect(toldText({ kind: "pong" }, NOTHING)).toBe(":\n\n");
  });
});

describe("[E7] where several endpoints stand", () => {
  test.each([
    ["e.0:7;d.1:3,e.0:9", ["e.0:7", "d.1:3,e.0:9"]],
    [";-", [undefined, "-"]],
    [";", [undefined, undefined]],
    ["e.0:1", ["e.0:1"]],
  ])("[E7] %s", (id, positions) => {
    const places = positions.map((position) => (position === undefined ? undefined : at(position)));

    expect(placesText(places)).toBe(id);
    expect(parsePlaces(id, positions.length)).toEqual(places);
  });

  test.each([
    ["e.0:7", 2],
    ["e.0:7;", 1],
    ["e.0:7;nothing", 2],
    ["oldest;e.0:1", 2],
  ])("[E7] %s says nothing of %i endpoints", (id, count) => {
    expect(parsePlaces(id, count)).toBeUndefined();
  });

  test("[E3] [E7] past 4 KiB, or what a client can't name, it is empty", () => {
    const long = at(Array.from({ length: 60 }, (_, i) => `${"e".repeat(30)}${i}:9007199254740991`).join());
    const many = at(Array.from({ length: 65 }, (_, i) => `e${i}:1`).join());

    expect(placesText([long])).not.toBe("");
    expect(placesText([long, long])).toBe("");
    expect(placesText([many, at("e.0:1")])).toBe("");
  });
});
