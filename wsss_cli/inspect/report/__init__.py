"""``wsss report``: one HTML page of a run, or of several side by side."""

from wsss_cli.artifacts.html_page import require_page_place
from wsss_cli.configs.report import ReportConfig
from wsss_cli.inspect.report.earlier_page import earlier_page, sources_fingerprint
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track


def run(config: ReportConfig, *, track: Track) -> Report:
    """Write the page, unless it is there already and nothing that it shows has changed.

    Raises:
        UsageError: A run holds nothing, or there is no place for the page.
        WsssError: A file of a run is broken.
    """
    require_page_place(config.page, "--out")
    sources = sources_fingerprint(config)
    earlier = earlier_page(config.page)
    if earlier.sources == sources and earlier.pictures_unchanged():
        values = {**earlier.values, "bytes": config.page.stat().st_size}
        return Report("report", config.page.parent, True, values)
    from wsss_cli.inspect.report.page import draw  # imports torch, which takes seconds

    return draw(config, sources, earlier, track)
