"""Folders that look like any other and aren't: synchronised with a cloud, or closed by macOS to background services.
Pure."""

from pathlib import Path

CLOUDS = {
    "CloudStorage": "a cloud folder of macOS",
    "Mobile Documents": "iCloud Drive",
    "Dropbox": "Dropbox",
    "OneDrive": "OneDrive",
    "Google Drive": "Google Drive",
    "GoogleDrive": "Google Drive",
    "Nextcloud": "Nextcloud",
    "ownCloud": "ownCloud",
    "Syncthing": "Syncthing",
    "pCloudDrive": "pCloud",
}
CLOSED_BY_MACOS = ("Documents", "Desktop", "Downloads")


def cloud_of(folder: Path) -> str | None:
    """The cloud that synchronises `folder` (it breaks locks and databases), or None."""
    for part in folder.parts:
        for mark, cloud in CLOUDS.items():
            if part == mark or part.startswith((f"{mark} ", f"{mark}-")):
                return cloud
    return None


def closed_to_services(folder: Path, platform: str) -> str | None:
    """The folder that macOS keeps background services out of (they may not ask), when `folder` lies in it."""
    parts = folder.parts
    if platform != "darwin" or parts[1:2] != ("Users",) or len(parts) < 4 or parts[3] not in CLOSED_BY_MACOS:
        return None
    return str(Path(*parts[:4]))
