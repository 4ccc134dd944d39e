import { keysIn } from "../server/ownKey";

/** What must not leave the computer with a report. */
export interface Secrets {
  /** The home folder, which often holds a person's name. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Secrets that are known to the extension, such as the Hugging Face token. */
  readonly others: readonly string[];
}

// The rules of `ttdirect doctor --report` (`ttdirect/cli/report.py`), for the parts of a report that
// the editor adds and for a computer on which that cannot run.
const secretName = /(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH)S?(_|$)/i;
const patterns = [
  // Tokens of the hub and keys of OpenAI's kind.
  /\b(?:hf|sk|api_org)[_-][\w-]{8,}/g,
  // What stands before the @ of an address.
  /(?<=:\/\/)[^/\s@]+(?=@)/g,
  // What follows Bearer in a header that was logged.
  /(?<=\bbearer\s+)[^\s"',]+/gi,
];
/** Some words of a language are short, and so are some keys that people choose. */
const shortest = 4;

/** Whether what has this name should stay where it is: `HF_TOKEN`, `apiKey`. */
export function isSecretName(name: string): boolean {
  return secretName.test(name.replace(/([a-z])([A-Z])/g, "$1_$2"));
}

/** A text without secrets, and with ~ for the home folder. */
export function mask(text: string, { home, environment, others }: Secrets): string {
  const named = Object.entries(environment)
    .filter(([name]) => isSecretName(name))
    // A list of keys may be told whole, and each of them by itself.
    .flatMap(([, value = ""]) => [value, ...keysIn(value)]);
  const values = [...named, ...others].filter((value) => value.length >= shortest);
  let masked = text;
  // A long one first: it may hold a short one.
  for (const value of values.sort((a, b) => b.length - a.length)) {
    masked = masked.replace(new RegExp(`(?<!\\w)${escape(value)}(?!\\w)`, "g"), "***");
  }
  for (const pattern of patterns) masked = masked.replace(pattern, "***");
  const folder = home.replace(/\/$/, "");
  return folder === "" ? masked : masked.replace(inPaths(folder), "~");
}

/** A folder where it is the whole name, not where it begins a longer one. */
function inPaths(folder: string): RegExp {
  return new RegExp(`${escape(folder)}(?![\\w.-])`, "g");
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
