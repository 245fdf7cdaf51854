"""
Spare Salt work that it repeats for each minion of one process.

Salt expects one minion in a process, and for each it lists the directories of its modules, and
compiles the modules and the templates. render.py and tests/unit/salt_caller.py have many minions
in a process, with the same files. They call ``enable`` when they have synchronized the modules of
the repository; after that the directories of modules must not change.

Needs only Salt.
"""

import sys

import jinja2
import salt.loader.lazy


def enable() -> None:
    """Keep lists of modules and compiled templates in memory, compiled modules on disk."""
    # The modules of the repository are loaded from a temporary directory, many times.
    sys.dont_write_bytecode = False
    _remember_modules(salt.loader.lazy.LazyLoader)
    _remember_templates(jinja2.Environment)


def _remember_modules(loader_class: type) -> None:
    """Let the loaders of the same directories share the list of their files."""
    list_files = loader_class._refresh_file_mapping
    lists = {}

    def refresh(loader) -> None:
        directories = (*loader.module_dirs, *loader.static_modules)
        key = (directories, frozenset(loader.disabled))
        if key not in lists:
            list_files(loader)
            lists[key] = (loader.file_mapping, loader.suffix_map, loader.suffix_order)
        mapping, suffixes, order = lists[key]
        loader.file_mapping = dict(mapping)
        loader.suffix_map = dict(suffixes)
        loader.suffix_order = list(order)

    loader_class._refresh_file_mapping = refresh


def _remember_templates(environment_class: type) -> None:
    """Let environments of Jinja with the same syntax share the code of a template."""
    compile_template = environment_class.compile
    codes = {}

    def compile_once(environment, source, name=None, filename=None, **options):
        if not isinstance(source, str):
            return compile_template(environment, source, name, filename, **options)
        key = (
            source,
            name,
            filename,
            *sorted(options.items()),
            *sorted(environment.extensions),
            environment.trim_blocks,
            environment.lstrip_blocks,
        )
        if key not in codes:
            codes[key] = compile_template(environment, source, name, filename, **options)
        return codes[key]

    environment_class.compile = compile_once
