import "../translations";
import "./compare.css";
import type { ToHost, ToPage } from "../../compare/protocol";
import type { EditorApi } from "../host";
import type { Entries } from "./entries";
import { CompareView } from "./view";

declare function acquireVsCodeApi(): EditorApi<ToHost, Partial<Entries>>;

const view = new CompareView(document.body, acquireVsCodeApi());

// Only the editor can post into its webview, so what arrives is what the host sent.
window.addEventListener("message", (event: MessageEvent<ToPage>) => view.receive(event.data));
