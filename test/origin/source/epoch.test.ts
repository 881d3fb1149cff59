import { describe, expect, test } from "vitest";
import { epochOf, epochOfName, idOfName } from "../../../origin/source/epoch.ts";
import { parseComponent } from "../../../shared/protocol/position.ts";

describe("epochs", () => {
  test("[P4] an epoch is the first 6 characters of the topic id in base64url, a dot and the partition", () => {
    const topicId = Buffer.from("KHVF-_L2TNmPZUpyPcSuCg", "base64url");

    expect(epochOf(topicId, 0)).toBe("KHVF-_.0");
    expect(epochOf(new Uint8Array(topicId), 137)).toBe("KHVF-_.137");
  });

  test("[P4] of a topic without an id it is 16 characters that cluster and name make, which no other topic has", () => {
    const epochs = ["a", "b"].flatMap((cluster) =>
      Array.from({ length: 50_000 }, (_, i) => epochOfName(idOfName(cluster, `topic-${i}`), 3)),
    );

    expect(epochs[0]).toBe(epochOfName(idOfName("a", "topic-0"), 3));
    expect(epochs[0]).toMatch(/^[A-Za-z0-9_-]{16}\.3$/);
    expect(new Set(epochs).size).toBe(100_000);
    expect(idOfName("a", "bc")).not.toEqual(idOfName("ab", "c"));
  });

  test("[P1] an epoch can stand in a position, whatever the topic id is", () => {
    for (let byte = 0; byte < 256; byte++) {
      const epoch = epochOf(new Uint8Array(16).fill(byte), 999);
      expect(parseComponent(`${epoch}:7`)).toEqual({ epoch, offset: 7 });
    }
  });
});
