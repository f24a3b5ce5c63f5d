# What one pointer was released for is taken for that of another in the same place.
s/if (out->key == key && /if (/
