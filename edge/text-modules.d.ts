/** Files that the bundler imports as text: see `rules` in wrangler.toml. */
declare module "*.html" {
  const text: string;
  export default text;
}
declare module "*/dist/page.js" {
  const text: string;
  export default text;
}
declare module "*/dist/client.js" {
  const text: string;
  export default text;
}
