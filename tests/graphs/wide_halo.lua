-- Channels that no block fits, in rows with a halo longer than a few vectors: its loops are split, beside a clipped window.
return input { "x", 64, 7, 40 }:conv { 21, 3, pad = 1 }:relu():conv { 24, 3, pad = 1 }
