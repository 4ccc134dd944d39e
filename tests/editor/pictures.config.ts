import { defineConfig } from "@playwright/test";
import suite from "./playwright.config";

/** Takes the pictures of docs/images, as the suite drives the editor; for `make images`. */
export default defineConfig(suite, { testDir: "pictures" });
