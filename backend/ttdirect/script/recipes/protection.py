"""The recipes that stand before the routes: who may ask, how often, from which pages, and a log."""

from __future__ import annotations

from ttdirect.script.recipes.model import Block, Recipe, Sign, Variant

AUTHENTICATION = Recipe(
    id="authentication",
    title="Ask for an API key",
    summary="Answers 401 to whoever does not send the key.",
    note="Set TTDIRECT_API_KEY to a secret of your own; without it, each start prints a new key. "
    "Clients send the header `Authorization: Bearer <key>`.",
    signs=(
        Sign("string", "Authorization", "the header Authorization is read"),
        Sign("string", "HTTP_AUTHORIZATION", "the header Authorization is read"),
        Sign("attribute", "authorization", "the header Authorization is read"),
        Sign("string", "X-Api-Key", "the header X-Api-Key is read"),
        Sign("string", "X-API-Key", "the header X-API-Key is read"),
        Sign("string", "TTDIRECT_API_KEY", "TTDIRECT_API_KEY is used"),
        Sign("module", "flask_httpauth", "flask_httpauth is imported"),
        Sign("module", "flask_login", "flask_login is imported"),
        Sign("module", "flask_jwt_extended", "flask_jwt_extended is imported"),
    ),
    variants=(
        Variant(
            frozenset({"protect"}),
            (
                Block(
                    "before app",
                    """\
# Authentication: whoever asks needs the header "Authorization: Bearer <key>", which
# server.protect checks. The key comes from the environment; without, each start makes one.
if not ($os.environ.get("TTDIRECT_API_KEY") or $os.environ.get("TTDIRECT_API_KEY_FILE")):
    $os.environ["TTDIRECT_API_KEY"] = $secrets.token_urlsafe(24)
    print("API key for this start:", $os.environ["TTDIRECT_API_KEY"], flush=True)""",
                    "Makes sure that there is a key, which `server.protect` then asks for.",
                ),
            ),
        ),
        Variant(
            frozenset({"app"}),
            (
                Block(
                    "hooks",
                    """\
# Authentication: whoever asks needs the header "Authorization: Bearer <key>". The key comes
# from the environment, not from this file; without one there, each start makes a new key.
API_KEY = $os.environ.get("TTDIRECT_API_KEY") or $secrets.token_urlsafe(24)
if "TTDIRECT_API_KEY" not in $os.environ:
    print("API key for this start:", API_KEY, flush=True)


@$app.before_request
def require_api_key():
    \"\"\"Answer 401 without the key; probes of /health and a browser's OPTIONS carry none.\"\"\"
    if $request.path == "/health" or $request.method == "OPTIONS":
        return None
    scheme, _, given = $request.headers.get("Authorization", "").partition(" ")
    # As bytes, which HTTP shows as Latin-1, and in a time that tells nothing about our key.
    is_ours = $hmac.compare_digest(given.strip().encode("latin-1"), API_KEY.encode())
    if scheme.lower() == "bearer" and is_ours:
        return None
    return {"error": "Send the header Authorization: Bearer <key>."}, 401""",
                    "Answers 401 to requests without the key.",
                ),
            ),
        ),
    ),
)

RATE_LIMITING = Recipe(
    id="rate-limiting",
    title="Limit how often a client may ask",
    summary="Answers 429 to an address that asks more often than 60 times a minute.",
    note="Change REQUESTS_PER_MINUTE to what suits you.",
    signs=(
        Sign("module", "flask_limiter", "flask_limiter is imported"),
        Sign("number", 429, "429 is answered"),
        Sign("string", "TTDIRECT_RATE_LIMIT", "TTDIRECT_RATE_LIMIT is used"),
    ),
    variants=(
        Variant(
            frozenset({"app"}),
            (
                Block(
                    "hooks",
                    """\
# Rate limiting: how often one address may ask. The counts live in this one process.
REQUESTS_PER_MINUTE = 60
recent_requests = $collections.deque()  # when, and from which address, in the last minute
recent_requests_lock = $threading.Lock()


@$app.before_request
def limit_requests():
    \"\"\"Answer 429 to an address that asks too often; /health and OPTIONS are free.\"\"\"
    if $request.path == "/health" or $request.method == "OPTIONS":
        return None
    now = $time.monotonic()
    with recent_requests_lock:
        while recent_requests and recent_requests[0][0] < now - 60:
            recent_requests.popleft()
        own = [when for when, address in recent_requests if address == $request.remote_addr]
        if len(own) < REQUESTS_PER_MINUTE:
            recent_requests.append((now, $request.remote_addr))
            return None
    seconds = int(own[0] + 60 - now) + 1 if own else 60
    message = f"At most {REQUESTS_PER_MINUTE} requests a minute are answered."
    return {"error": message}, 429, {"Retry-After": str(seconds)}""",
                    "Counts requests by address and answers 429 to too many.",
                ),
            ),
        ),
    ),
)

REQUEST_LOGGING = Recipe(
    id="request-logging",
    title="Log each request",
    summary="Writes one line for each request: who, what, which status, how long.",
    note="The lines go to stderr; prompts and keys are not among what they tell.",
    signs=(
        *(
            Sign("hook", method, "a function for every request writes a log")
            for method in ("info", "debug", "warning", "log", "print")
        ),
    ),
    variants=(
        Variant(
            frozenset({"app"}),
            (
                Block(
                    "hooks",
                    """\
# Request logging: one line for each request, on stderr.
$app.logger.setLevel($logging.INFO)


@$app.before_request
def remember_start():
    \"\"\"Note when the request came.\"\"\"
    $request.environ["log.start"] = $time.monotonic()


@$app.after_request
def log_request(response):
    \"\"\"Write who asked for what, the status, and the time until the answer began.\"\"\"
    now = $time.monotonic()
    milliseconds = 1000 * (now - $request.environ.get("log.start", now))
    asked = f"{$request.remote_addr} {$request.method} {$request.path!r}"
    $app.logger.info("%s -> %d, %.0f ms", asked, response.status_code, milliseconds)
    return response""",
                    "Writes one line for each request.",
                ),
            ),
        ),
    ),
)

CORS = Recipe(
    id="cors",
    title="Let web pages ask (CORS)",
    summary="Tells browsers which sites' pages may read the answers.",
    note="Replace http://localhost:3000 by the address of your own page.",
    signs=(
        Sign("module", "flask_cors", "flask_cors is imported"),
        Sign("string", "Access-Control-Allow-Origin", "Access-Control-Allow-Origin is sent"),
        Sign("string", "TTDIRECT_CORS_ORIGINS", "TTDIRECT_CORS_ORIGINS is used"),
    ),
    variants=(
        Variant(
            frozenset({"protect"}),
            (
                Block(
                    "before app",
                    """\
# CORS: web pages of these sites may ask (commas between); server.protect tells browsers.
$os.environ.setdefault("TTDIRECT_CORS_ORIGINS", "http://localhost:3000")""",
                    "Lists the sites whose pages `server.protect` lets in.",
                ),
            ),
        ),
        Variant(
            frozenset({"app"}),
            (
                Block(
                    "hooks",
                    """\
# CORS: web pages of these sites may ask and read the answers.
ALLOWED_ORIGINS = {"http://localhost:3000"}


@$app.after_request
def allow_origins(response):
    \"\"\"Tell the browser whether the page may ask; it sends OPTIONS beforehand to find out.\"\"\"
    origin = $request.headers.get("Origin")
    if origin in ALLOWED_ORIGINS:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    response.vary.add("Origin")  # for caches: the answer is not the same for every page
    return response""",
                    "Sends the headers that let pages of the listed sites in.",
                ),
            ),
        ),
    ),
)
