"""Videos that are none, are cut, changed, or would lead FFmpeg to other files."""

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from endurance import endures, hostile
from hypothesis import given
from hypothesis import strategies as st
from new_photographs import segmentation_checkpoint, video

from wsss_cli.artifacts.video_file import new_video, opened_video
from wsss_cli.artifacts.video_formats import is_video
from wsss_cli.errors import WsssError


def _frames(path: Path) -> int:
    with opened_video(path) as opened:
        return sum(1 for _ in opened.frames())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("a.mp4", "a.avi", "a.mkv"):
        video(folder / name, 4)
    return folder


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_videos_are_read(clips: Path, name: str) -> None:
    assert is_video(clips / name)
    assert _frames(clips / name) == 4


@hostile
@given(data=st.data())
def test_cut_and_changed_videos_end_with_a_sentence(
    clips: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray((clips / data.draw(st.sampled_from(["a.mp4", "a.avi"]))).read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.mp4"
    path.write_bytes(bytes(content))
    endures("video", lambda: _frames(path))


PLAYLISTS = {
    "m3u": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD><BaseURL>{}</BaseURL></MPD>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("disguised", [False, True])
def test_lists_of_other_files_are_no_videos(
    clips: Path, tmp_path: Path, kind: str, disguised: bool
) -> None:
    text = PLAYLISTS[kind].format(clips / "a.mp4").encode()
    path = tmp_path / "list.mp4"
    path.write_bytes((b"\0\0\0\x18ftypmp42\n" if disguised else b"") + text)
    with pytest.raises(WsssError):
        _frames(path)


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_ffmpeg_itself_is_held_to_plain_files(
    clips: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a list passed for a video, none of the files that it names would be opened."""
    monkeypatch.setattr("wsss_cli.artifacts.video_file.is_video", lambda _: True)
    path = tmp_path / "list.mp4"
    path.write_text(PLAYLISTS[kind].format(clips / "a.mp4"))
    with pytest.raises(WsssError):
        _frames(path)
    assert "OPENCV_FFMPEG_CAPTURE_OPTIONS" not in os.environ


def test_names_are_no_addresses(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "http:a.mp4", "%03d.mp4", "a b;c|d.mp4"):
        Path(name).write_bytes((clips / "a.mp4").read_bytes())
        assert _frames(Path(name)) == 4


@pytest.mark.parametrize("size", [(48, 64), (49, 65), (1, 1), (17, 200)])
def test_what_is_written_can_be_read(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "new" / "a.mp4"
    with new_video(path, size, 29.97) as writer:
        for number in range(7):
            writer.write(np.full((*size, 3), 30 * number, np.uint8))
        assert not path.exists()
    with opened_video(path) as opened:
        even = tuple(side + side % 2 for side in size)
        assert opened.outline.size == even
        assert opened.outline.fps == pytest.approx(29.97)
        frames = list(opened.frames())
    assert len(frames) == 7
    assert [abs(int(frame.mean()) - 30 * i) < 12 for i, frame in enumerate(frames)] == [True] * 7
    assert list(path.parent.iterdir()) == [path]


def test_unfinished_video_does_not_appear(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_video(tmp_path / "a.mp4", (48, 64), 25) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to nowhere"])
def test_special_files_are_no_photographs(wsss: Command, tmp_path: Path, kind: str) -> None:
    checkpoint = segmentation_checkpoint(tmp_path / "network.pt")
    path = tmp_path / "photos" / "a.jpg"
    path.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    done = wsss("predict", checkpoint, path.parent, "--out", tmp_path / "out")
    assert done.code == (2 if kind == "folder" else 1), done.err
    assert "--debug" not in done.err
    assert "photos" in done.err
