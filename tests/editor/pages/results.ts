import { Webview } from "./webview";

/** The results view. */
export class Results extends Webview {}
