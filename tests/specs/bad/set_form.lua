-- expect: --set classes: NAME=VALUE expected
-- set: classes
-- kind: usage
return input { 'x', 1 }
