import "./translations";
import "uplot/dist/uPlot.min.css";
import "./results.css";
import type { ToWebview } from "../results/protocol";
import type { EditorApi } from "./host";
import { View } from "./view";

declare function acquireVsCodeApi(): EditorApi;

const view = new View(document.body, acquireVsCodeApi());

// Only the editor can post into its webview, so what arrives is what the host sent.
window.addEventListener("message", (event: MessageEvent<ToWebview>) => view.receive(event.data));
