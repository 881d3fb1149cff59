/**
 * What the platform has and this runtime doesn't: to use it is an error that says so, and nothing that is merely undefined.
 * Whatever is served has a case in the conformance suite, recorded on workerd.
 */
export function refusal(what: string): Error {
  return new Error(`${what} isn't served by the runtime on Node: it is in no case of the conformance suite`);
}

/** Members of a class, or of an object, besides those that it has. */
export function refuse(of: object, name: string, members: readonly string[]): void {
  for (const member of members) {
    const get = () => {
      throw refusal(`${name}.${member}`);
    };
    Object.defineProperty(of, member, { get, set: get });
  }
}
