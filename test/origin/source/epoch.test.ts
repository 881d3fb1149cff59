import { describe, expect, test } from "vitest";
import { epochOf } from "../../../origin/source/epoch.ts";
import { parseComponent } from "../../../shared/protocol/position.ts";

describe("epochs", () => {
  test("[P4] an epoch is the first 6 characters of the topic id in base64url, a dot and the partition", () => {
    const topicId = Buffer.from("KHVF-_L2TNmPZUpyPcSuCg", "base64url");

    expect(epochOf(topicId, 0)).toBe("KHVF-_.0");
    expect(epochOf(new Uint8Array(topicId), 137)).toBe("KHVF-_.137");
  });

  test("[P1] an epoch can stand in a position, whatever the topic id is", () => {
    for (let byte = 0; byte < 256; byte++) {
      const epoch = epochOf(new Uint8Array(16).fill(byte), 999);
      expect(parseComponent(`${epoch}:7`)).toEqual({ epoch, offset: 7 });
    }
  });
});
