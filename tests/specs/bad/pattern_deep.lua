-- expect: pattern_deep.lua:2: pattern too complex
(('a'):rep(300)):match(('a?'):rep(300))
