"""The editor's friend: everything that can be told of the content without hearing it, in one go, as ``file: key: problem``.

What holds in every language (keys, ids, menus) is ``voice.content``'s. What is checked here needs to know the language or the
sources, and that knowledge is content too (``knowledge.py``): a folder that does not give it is not judged by it.
"""
