import { expect, test } from "vitest";
import { addressKey, isOwn } from "../../../edge/http/address-key.ts";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["2001:db8::", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "::1"],
  ["", undefined],
  ["unknown", undefined],
  ["1:2", undefined],
  ["::1]/x", undefined],
])("%s counts as %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test.each([
  ["127.0.0.1", true],
  ["127.127.0.1", true],
  ["127.128.0.1", false],
  ["::1", true],
  ["192.0.2.7", false],
  ["2001:db8:1:2::/64", false],
])("%s is this machine's own: %s", (key, own) => {
  expect(isOwn(key)).toBe(own);
});
