-- expect: ?
(('a'):rep(300)):match(('a?'):rep(300))
