"""The parts of the manual that are written from the code: when it is built, and in its test.

``reference``: every command, setting, metric and message, as Markdown. ``hook``: what MkDocs calls
to add them to the site.
"""
