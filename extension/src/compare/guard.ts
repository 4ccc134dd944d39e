/** Run-time check of what the page says. */

import { isFields } from "../fields";
import { isToHost as isAboutRecords } from "../results/guard";
import { isAddress } from "./address";
import { type Comparison, mostColumns, type OtherServer, type ToHost } from "./protocol";

const aboutRecords = ["repeat", "cancel", "copy", "clear", "undoClear", "export"];

/** Whether this is one of the messages that the page may send, with the right fields. */
export function isToHost(message: unknown): message is ToHost {
  if (!isFields(message)) return false;
  switch (message["type"]) {
    case "loaded":
    case "startServer":
      return true;
    case "compare":
      return isComparison(message["comparison"]);
    case "lookForKey":
    case "enterKey":
      return isAddress(message["address"]);
    default:
      return aboutRecords.includes(String(message["type"])) && isAboutRecords(message);
  }
}

function isComparison(value: unknown): value is Comparison {
  if (!isFields(value)) return false;
  const { prompt, maxTokens, temperatures, other } = value;
  return (
    typeof prompt === "string" &&
    Number.isInteger(maxTokens) &&
    Array.isArray(temperatures) &&
    temperatures.length > 0 &&
    temperatures.length * (other === undefined ? 1 : 2) <= mostColumns &&
    temperatures.every((temperature) => Number.isFinite(temperature)) &&
    (other === undefined || isOther(other))
  );
}

function isOther(value: unknown): value is OtherServer {
  return isFields(value) && isAddress(value["address"]) && typeof value["model"] === "string";
}
