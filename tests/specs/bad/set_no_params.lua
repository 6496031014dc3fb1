-- expect: ?
-- set: classes=4
-- kind: usage
return input { 'x', 1 }
