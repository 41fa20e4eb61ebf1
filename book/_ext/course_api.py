"""The API pages: names are documented where one imports them from, and linked from where they are written.

``course_lib.nets.Backbone`` is defined in ``course_lib/nets/backbone.py``; a signature that names the class
by its file still finds the place where it is documented.
"""

from docutils import nodes
from sphinx import addnodes


def leave_out_module_docstrings(app, what, name, obj, options, lines) -> None:
    """A page of the API has its own introduction; a module's docstring speaks to who reads the file."""
    if what == "module":
        lines.clear()


def leave_out_tuple_fields(app, what, name, obj, skip, options) -> bool | None:
    """The fields of a named tuple say only "Alias for field number 0"; its docstring describes them."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def show_factories_as_dots(app, what, name, obj, options, signature, returns):
    """A default that is made anew for each object has no text that Sphinx could read."""
    return (signature.replace("<factory>", "..."), returns) if signature else None


def call_attributes_attributes(app, domain, objtype, content) -> None:
    """Sphinx heads the attributes of a class with "Variables"."""
    for name in content.findall(nodes.field_name):
        if name.astext() == "Variables":
            name.children = [nodes.Text("Attributes")]


def find_public_name(app, env, node, contnode):
    """Resolve ``course_lib.room.file.name`` as ``course_lib.room.name``, where that is documented.

    A type in a signature that has no page of its own stays plain text; in prose it is a dead reference.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("course_lib."):
        return None
    python, (*rooms, name) = env.get_domain("py"), target.split(".")
    while len(rooms) > 1:
        rooms.pop()
        public = ".".join([*rooms, name])
        if public in python.objects:
            arguments = (node["refdoc"], app.builder, node["reftype"], public, node, contnode)
            return python.resolve_xref(env, *arguments)
    return contnode if _inside(node, addnodes.desc_signature) else None


def _inside(node: nodes.Node, kind: type[nodes.Node]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kind):
            return True
    return False


def setup(app):
    app.connect("autodoc-process-docstring", leave_out_module_docstrings)
    app.connect("autodoc-process-signature", show_factories_as_dots)
    app.connect("autodoc-skip-member", leave_out_tuple_fields)
    app.connect("object-description-transform", call_attributes_attributes)
    app.connect("missing-reference", find_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
