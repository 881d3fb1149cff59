import { describe, expect, test } from "vitest";
import { AnswerAssembly, encodeAnswer, type Head } from "../../../shared/core/answer.ts";
import { decodeLinkDown } from "../../../shared/protocol/link.ts";
import { position, update } from "../../support/endpoint-frames.ts";

interface Named extends Head {
  readonly name: string;
}

describe("an answer", () => {
  test("[U5] counts what it brings", () => {
    const at = position("e:1");
    const verdict = { position: at, head: at, recovered: undefined, cause: undefined };
    const attached = { endpoint: "/t/a", id: 3, verdict, to: at, horizon: at };

    const [head, ...body] = encodeAnswer(attached, [update(1), update(2, 1)]);

    const says = decodeLinkDown(String(head));
    expect(says.ok && says.value.kind === "attached" && says.value.attached).toMatchObject({
      id: 3,
      count: 2,
    });
    expect(body).toEqual([update(1), update(2, 1)]);
  });

  test("[U5] is whole with the last update that its head counts, and what comes after it is live", () => {
    const assembly = new AnswerAssembly<Named>();
    expect(assembly.take("before")).toBe("live");

    const head = { name: "first", count: 2 };
    expect(assembly.begin(head)).toBeUndefined();
    expect(assembly.head).toBe(head);
    expect(assembly.take("a")).toBe("part");
    expect(assembly.take("b")).toEqual({ head, frames: ["a", "b"] });

    expect(assembly.head).toBeUndefined();
    expect(assembly.take("after")).toBe("live");
  });

  test("[U5] [U8] without updates is whole with its head", () => {
    const assembly = new AnswerAssembly<Named>();
    const head = { name: "empty", count: 0 };

    expect(assembly.begin(head)).toEqual({ head, frames: [] });
    expect(assembly.take("live")).toBe("live");
  });

  test("[U5] that breaks off leaves nothing to the next one", () => {
    const assembly = new AnswerAssembly<Named>();
    assembly.begin({ name: "first", count: 2 });
    assembly.take("of the first");

    const head = { name: "second", count: 1 };
    assembly.begin(head);
    expect(assembly.take("a")).toEqual({ head, frames: ["a"] });

    assembly.begin({ name: "third", count: 2 });
    assembly.breakOff();
    expect([assembly.head, assembly.take("live")]).toEqual([undefined, "live"]);
  });
});
