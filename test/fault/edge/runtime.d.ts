/** What the runtime itself offers, with the flag `unsafe_module`. */
declare module "workerd:unsafe" {
  const unsafe: {
    /** Takes an object out of memory; its hibernatable sockets stay open, or are closed. */
    evict(stub: DurableObjectStub, options: { webSockets: "hibernate" | "close" }): Promise<void>;
  };
  export default unsafe;
}
