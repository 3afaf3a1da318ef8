"""Functions of installed pure-Python packages, copied into a folder as if they were a project's own code."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

__all__ = ["COPIED", "copy"]

COPIED: dict[str, tuple[tuple[str, ...], str]] = {
    "packaging versions": (
        ("packaging",),
        """
        from packaging.specifiers import SpecifierSet
        from packaging.version import Version
        def f():
            versions = [Version(v) for v in ("1.0", "1.0rc1", "2!1.0.post3", "1.0.dev4", "1.0+local.7", "v1.10")]
            some = SpecifierSet(">=1.0,!=1.5.*,<3"), SpecifierSet("~=1.4.2"), SpecifierSet("==1.0.*")
            return [[str(v), v.is_prerelease, v.base_version, v.public, v.local, v.epoch, v.release, v.post] for v in sorted(versions)], [
                [str(s), [t for t in ("0.9", "1.0", "1.4.5", "1.5.1", "2.0b1", "3.0") if t in s]] for s in some]
        """,
    ),
    "packaging requirements": (
        ("packaging",),
        """
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
        def f():
            texts = ('a[x,y]>=1,<2; python_version < "3.9" and os_name == "posix"', "B_c.d", "e @ file:///tmp/e.whl")
            found = [Requirement(t) for t in texts]
            return ([[str(r), r.name, sorted(r.extras), str(r.specifier), r.url] for r in found],
                    found[0].marker.evaluate({"python_version": "3.8", "os_name": "posix"}),
                    canonicalize_name("A_.b--C"), str(parse_wheel_filename("a-1.0-1-py3-none-any.whl")[:3]), str(parse_sdist_filename("a-1.0.tar.gz")))
        """,
    ),
    "pathspec": (
        ("pathspec",),
        """
        from pathspec import PathSpec
        def f():
            files = ["a.py", "b/c.pyc", "b/keep.pyc", "docs/x/y.txt", "build/out", "src/build/out", "z !", "q[1].t", "t/deep/er/n.log"]
            spec = PathSpec.from_lines("gitignore", ["*.pyc", "!keep.pyc", "/build/", "docs/**/y.txt", "# no", "z\\\\ !", "q[0-9].t", "**/er/*", ""])
            return sorted(spec.match_files(files)), [spec.match_file(x) for x in files], len(spec)
        """,
    ),
    "markdown": (
        ("markdown_it", "mdurl"),
        '''
        from markdown_it import MarkdownIt
        TEXT = """# One *two*

        - a
        - b `c`

        1. x

        > quoted **bold** [link](http://a.b/c "t") ![i](j)

            code

        ```py
        x = 1
        ```
        ---
        line  
        <b>html</b> &amp; \\\\* <http://x.y>
        """
        def f():
            text = "\\n".join(line[8:] if line.startswith("        ") else line for line in TEXT.split("\\n"))
            return MarkdownIt("commonmark").render(text)
        ''',
    ),
    "tomlkit": (
        ("tomlkit",),
        '''
        import tomlkit
        TEXT = """
        a = 1
        b = [1, 2, 3] # c
        s = 'x'
        d = 2020-01-02T03:04:05Z
        t = { x = 1.5, y = true }
        [p.q]
        k = "v\\\\n"
        [[r]]
        n = 0x1f
        [[r]]
        n = -2
        """
        def f():
            document = tomlkit.parse(TEXT)
            document["a"] = 2
            document["new"] = {"z": [1]}
            document["p"]["q"].pop("k")
            return tomlkit.dumps(document), str(document.unwrap())
        ''',
    ),
    "h11": (
        ("h11",),
        """
        import h11
        def f():
            client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
            sent = client.send(h11.Request(method="POST", target="/x", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")]))
            sent += client.send(h11.Data(data=b"body")) + client.send(h11.EndOfMessage())
            server.receive_data(sent)
            events = [server.next_event() for _ in range(3)]
            answer = server.send(h11.Response(status_code=200, headers=[("Content-Length", "2")])) + server.send(h11.Data(data=b"ok"))
            answer += server.send(h11.EndOfMessage())
            client.receive_data(answer)
            events += [client.next_event() for _ in range(3)]
            return sent, answer, [type(e).__name__ for e in events], bytes(events[1].data), str(client.states), str(server.states)
        """,
    ),
    "sorted lists": (
        ("sortedcontainers",),
        """
        from sortedcontainers import SortedDict, SortedKeyList, SortedList
        def f():
            numbers = SortedList([5, 1, 4, 1], )
            numbers.update([9, 2])
            numbers.add(3)
            numbers.discard(4)
            keys = SortedKeyList(["bb", "a", "ccc"], key=len)
            words = SortedDict({"b": 1, "a": 2})
            words["c"] = 3
            return (list(numbers), numbers.bisect(3), numbers.index(9), list(numbers.irange(2, 5)), numbers[1:3], numbers.count(1),
                    list(keys), keys.bisect_key(2), list(words.items()), words.peekitem(0), words.popitem())
        """,
    ),
    "plugins": (
        ("pluggy",),
        """
        import pluggy
        spec, impl = pluggy.HookspecMarker("t"), pluggy.HookimplMarker("t")
        class Spec:
            @spec
            def area(self, a, b): ...
            @spec(firstresult=True)
            def first(self, a): ...
        class One:
            @impl
            def area(self, a, b): return a * b
            @impl(trylast=True)
            def first(self, a): return a
        class Two:
            @impl(wrapper=True)
            def area(self, a):
                found = yield
                return [*found, a]
            @impl
            def first(self, a): return None if a < 3 else -a
        def f():
            manager = pluggy.PluginManager("t")
            manager.add_hookspecs(Spec)
            manager.register(One(), "one")
            manager.register(Two(), "two")
            return manager.hook.area(a=2, b=3), manager.hook.first(a=2), manager.hook.first(a=5), [n for n, _ in manager.list_name_plugin()]
        """,
    ),
}  # fmt: skip
"""Name → packages to copy, and the step that uses them."""


def copy(name: str, root: Path) -> Path:
    """Lay out a project: the packages as installed here, and `entry.py` with the step `f`."""
    import textwrap

    packages, text = COPIED[name]
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec
        assert spec.origin, package
        shutil.copytree(Path(spec.origin).parent, root / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (root / "entry.py").write_text(textwrap.dedent(text))
    return root
