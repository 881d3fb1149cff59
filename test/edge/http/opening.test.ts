/** Where a subscribe is led, as the Worker asks objects one after the other; these are played by a test. */
import { beforeEach, expect, test } from "vitest";
import type { Env } from "../../../edge/env.ts";
import { openWhereRoom } from "../../../edge/http/opening.ts";
import { PUBLIC } from "../../../edge/principal.ts";
import { roomOf } from "../../../edge/relay/rooms.ts";
import { crowdedResponse, readObjectRequest, readRelayRequest, toItsRoom } from "../../../edge/routing.ts";

/** Who was asked, in order. */
let asked: string[];
/** What objects of endpoints answer, and rooms. */
let own: (isSure: boolean) => Response;
let room: () => Response;
let keys = 0;
beforeEach(() => {
  asked = [];
  own = (isSure) => (isSure ? taken("its own") : toItsRoom());
  room = () => taken("a room");
});

const taken = (where: string) => new Response(where);

function namespace(answer: (request: Request, name: string) => Response) {
  return {
    idFromName: (name: string) => name,
    get: (name: string) => ({
      fetch: async (...request: ConstructorParameters<typeof Request>) =>
        answer(new Request(...request) as Request, name),
    }),
  };
}

const ENV = {
  SHARDS: "2",
  ENDPOINT: namespace((request) => {
    const wants = readObjectRequest(request);
    const isSure = wants?.kind === "subscribe" && wants.isSure;
    asked.push(isSure ? "its own, for sure" : "its own");
    return own(isSure);
  }),
  RELAY: namespace((request, name) => {
    expect(readRelayRequest(request)?.kind).toBe("subscribe");
    asked.push(name);
    return room();
  }),
} as unknown as Env;

const newPath = () => `/quotes/opening-${++keys}`;
const roomOfKey = (path: string) => roomOf(path, 2, 16);

async function open(path: string, sender?: string, env = ENV): Promise<string> {
  const client = {
    region: "weur",
    sender: sender === undefined ? undefined : { key: sender, isOwn: false },
  } as const;
  const answer = await openWhereRoom(env, path, client, undefined, undefined, PUBLIC);
  return answer.text();
}

test("[L16] a key's own object is asked, and the key's room if that says so", async () => {
  const path = newPath();
  expect(await open(path)).toBe("a room");
  expect(asked).toEqual(["its own", roomOfKey(path)]);

  own = () => taken("its own");
  expect(await open(path)).toBe("its own");
});

test("[L16] if the room is full, the object is asked again, to take it whatever the key has", async () => {
  room = crowdedResponse;
  const path = newPath();
  expect(await open(path)).toBe("its own");
  expect(asked).toEqual(["its own", roomOfKey(path), "its own, for sure"]);
});

test("[L16] whoever makes keys up is sent to rooms at once, for any key, and is told if one is full", async () => {
  const paths = Array.from({ length: 61 }, newPath);
  for (const path of paths) await open(path, "192.0.2.1");
  asked = [];
  const path = newPath();
  expect(await open(path, "192.0.2.1")).toBe("a room");
  room = crowdedResponse;
  expect(JSON.parse(await open(path, "192.0.2.1"))).toMatchObject({ error: { code: "overloaded" } });
  expect(asked).toEqual([roomOfKey(path), roomOfKey(path)]);

  asked = [];
  expect(await open(path, "192.0.2.2")).toBe("its own");
  expect(await open(path, "192.0.2.1", { ...ENV, ROOMS: "0" })).toBe("its own");
});
