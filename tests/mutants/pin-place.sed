# An object that lies elsewhere is taken for the one that is pinned.
s/ && o.content != pointer)/ \&\& o.content == pointer + 1)/
