"""What `ttdirect bench` is made of: prompts, one measured request, many clients, and figures."""
