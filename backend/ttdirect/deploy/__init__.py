"""Files that put the user's script into production: gunicorn, systemd, nginx, Docker, Prometheus.

`facts` reads what there is to deploy from the script, `plan` decides with what settings, `targets`
says which files a target has and what to do with them, `files` renders and writes them.
"""
