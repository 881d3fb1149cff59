/** Waits until an expectation holds, by a deadline that a busy machine keeps, too: that of vitest itself is a second. */
import { vi } from "vitest";

export const fulfilled = <T>(expected: () => T | Promise<T>): Promise<T> => vi.waitFor(expected, 30_000);
