# A program without a dynamic section.
s/if (!self || !dynamic)/if (!self)/
