/**
 * Requests, answers and their headers, of which there are several for each connection: making Node's own takes longer than all
 * that is asked of them. Whatever else these have is asked of one of Node's own, which is made then.
 */
export interface Lean<T extends object> {
  /** Of each, below the prototype of its class. */
  readonly prototype: T;
  /** One of Node's own that is the same; itself if it isn't lean. */
  wholeOf(one: T): T;
  /** The same, if it was made. */
  madeOf(one: T): T | undefined;
}

/** Where one of Node's own stands, once it was made. */
const WHOLE = Symbol("whole");

/**
 * @param of the prototype of its class
 * @param made the prototype of Node's
 * @param own what each has by itself
 * @param make makes one of Node's own
 */
export function leanOf<T extends object>(
  of: T,
  made: object,
  own: readonly string[],
  make: (lean: T) => T,
): Lean<T> {
  const prototype = Object.create(of) as T & { [WHOLE]?: T };
  const wholeOf = (one: T & { [WHOLE]?: T }): T => {
    if (!Object.prototype.isPrototypeOf.call(prototype, one)) return one;
    one[WHOLE] ??= make(one);
    return one[WHOLE];
  };
  for (const name of Reflect.ownKeys(made)) {
    const { get, value } = Object.getOwnPropertyDescriptor(made, name) ?? {};
    if (name === "constructor") continue;
    // What Node's class only reads can be set here.
    if (own.includes(String(name)))
      Object.defineProperty(prototype, name, { value: undefined, writable: true });
    else if (get !== undefined)
      Object.defineProperty(prototype, name, {
        get(this: T) {
          return Reflect.apply(get, wholeOf(this), []) as unknown;
        },
      });
    else if (typeof value === "function")
      Object.defineProperty(prototype, name, {
        value(this: T, ...given: unknown[]) {
          return Reflect.apply(value, wholeOf(this), given) as unknown;
        },
      });
  }
  return { prototype, wholeOf, madeOf: (one: T & { [WHOLE]?: T }) => one[WHOLE] };
}
