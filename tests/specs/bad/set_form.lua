-- expect: ?
-- set: classes
-- kind: usage
return input { 'x', 1 }
