"""The operations that the monitor adds."""

from typing import Any

from waxbill.api.operation import Area, Call, Reply

area = Area("📈 Monitor")


@area.get("/api/memory", scope="any", waits=True)
def get_memory(call: Call) -> Any:
    """Get the memory limit, what is used of it, and by which part, in MB."""
    return call.server.read_memory()


@area.get("/metrics", scope="any", waits=True)
def get_metrics(call: Call) -> Reply:
    """Get figures in the text format of Prometheus."""
    server = call.server
    environment = server.environment()
    sessions = server.sessions.all()
    figures: dict[str, float] = {
        "waha_up": 1,
        f'waha_info{{version="{environment.version}",tier="{environment.tier}",engine="{environment.engine}",'
        f'platform="{environment.platform}"}}': 1,
    }
    for session in sessions:
        labels = f'status="{session.status}",engine="{environment.engine}"'
        name = f"waha_sessions{{{labels}}}"
        figures[name] = figures.get(name, 0) + 1
        figures[f'waha_session_status{{session="{session.name}",{labels}}}'] = 1
    for state, count in server.outbox.counts().items():
        figures[f'waxbill_deliveries{{state="{state}"}}'] = count
    for added in server.plugins.call("waxbill_metrics"):
        figures.update(added)
    text = "".join(f"{name} {value}\n" for name, value in figures.items())
    return Reply(text.encode(), "text/plain; version=0.0.4; charset=utf-8")
