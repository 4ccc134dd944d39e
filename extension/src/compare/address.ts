/**
 * What stands before `/v1` in the address of an OpenAI-compatible server.
 *
 * @param text as people write it: with or without `http://`, a slash at the end, or `/v1`.
 * @returns as `http://127.0.0.1:8000`; undefined when it is no address.
 */
export function readAddress(text: string): string | undefined {
  const written = text.trim();
  const complete = /^[a-z][\w+.-]*:\/\//i.test(written) ? written : `http://${written}`;
  let url: URL;
  try {
    url = new URL(complete);
  } catch {
    return undefined;
  }
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  // A key in the address would be shown and stored with it.
  if (!isWeb || url.username !== "" || url.search !== "" || url.hash !== "") return undefined;
  return url.origin + url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
}

/** Whether `readAddress` may have written this. */
export function isAddress(value: unknown): value is string {
  return typeof value === "string" && readAddress(value) === value;
}

/** An address without what all have in common: "127.0.0.1:8000". */
export function shortAddress(address: string): string {
  return address.replace(/^https?:\/\//, "");
}
