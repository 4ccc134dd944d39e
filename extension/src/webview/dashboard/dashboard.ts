import "../translations";
import "uplot/dist/uPlot.min.css";
import "./dashboard.css";
import type { ToHost, ToPage } from "../../dashboard/protocol";
import type { EditorApi } from "../host";
import { type DashboardState, DashboardView } from "./view";

declare function acquireVsCodeApi(): EditorApi<ToHost, DashboardState>;

const view = new DashboardView(document.body, acquireVsCodeApi());

// Only the editor can post into its webview, so what arrives is what the host sent.
window.addEventListener("message", (event: MessageEvent<ToPage>) => view.receive(event.data));
